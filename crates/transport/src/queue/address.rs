//! Where a NATS server is, and what lets us in.

use async_nats::ConnectOptions;
use zeroize::Zeroizing;

use crate::{Error, Result};

/// What the server wants to know before it lets a client in. Zeroed on drop; the client has copies of its own, as long as it lives.
#[derive(Default)]
pub struct Secrets {
    /// Name and password.
    pub user: Option<(String, Zeroizing<String>)>,
    /// A token, where there is no name.
    pub token: Option<Zeroizing<String>>,
}

impl Secrets {
    /// What the environment has of them: `NATS_USER` and `NATS_PASSWORD`, or `NATS_TOKEN`.
    pub fn of(environment: &[(String, Zeroizing<String>)]) -> Self {
        let named = |name: &str| environment.iter().find(|(found, _)| found == name).map(|(_, value)| value);
        let password = || named("NATS_PASSWORD").cloned().unwrap_or_default();
        Self {
            user: named("NATS_USER").map(|user| (user.to_string(), password())),
            token: named("NATS_TOKEN").cloned(),
        }
    }

    pub(super) fn options(&self, options: ConnectOptions) -> ConnectOptions {
        match (&self.user, &self.token) {
            (Some((user, password)), _) => options.user_and_password(user.clone(), password.to_string()),
            (None, Some(token)) => options.token(token.to_string()),
            (None, None) => options,
        }
    }
}

/// `nats://HOST:PORT`, several with commas between them.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Address {
    pub(super) text: Vec<String>,
    pub(super) tls: bool,
}

impl Address {
    pub(super) fn parse(url: &str) -> Result<Self> {
        let wrong = || Error::Address { address: url.to_owned() };
        let text: Vec<String> = url.split(',').map(|one| one.trim().to_owned()).collect();
        let host = |one: &String| {
            let rest = one.strip_prefix("nats://").or_else(|| one.strip_prefix("tls://"));
            // A password in a setting would be read by whoever reads the kit.
            rest.is_some_and(|rest| !rest.is_empty() && !rest.contains(['@', '/', '?', '#', ' ']))
        };
        if !text.iter().all(host) {
            return Err(wrong());
        }
        let tls = text.iter().any(|one| one.starts_with("tls://"));
        Ok(Self { text, tls })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_scheme_a_host_and_no_secret() {
        let parsed = Address::parse("nats://a:4222, tls://b").unwrap();
        assert_eq!(
            parsed,
            Address { text: vec!["nats://a:4222".to_owned(), "tls://b".to_owned()], tls: true }
        );
        for wrong in ["", "nats://", "http://a:4222", "nats://user:secret@a", "nats://a/b", "a:4222"] {
            assert!(Address::parse(wrong).is_err(), "{wrong}");
        }
    }
}
