//! What a project file may not say: found before any key or folder is made.

use std::collections::BTreeMap;
use std::net::ToSocketAddrs as _;

use super::Project;
use crate::error::{Error, Result};
use blindscope_wire::unhex;

/// The coordinator's folder among the parties'.
const COORDINATOR: &str = "coordinator";
/// Longest that certificates last, in days.
const MOST_DAYS: u32 = 3650;
/// Widest token.
const MOST_WIDTH: u32 = 65_536;

impl Project {
    /// Refuses an address without a host or a port, names that are odd or stand for two parties, and certificates that never
    /// begin to last. What only shows with the sites' keys is checked when the study is made.
    ///
    /// # Errors
    /// [`Error::Project`] names the key, what it says and what it may say.
    pub fn check(&self) -> Result<()> {
        name("name", &self.name)?;
        self.check_addresses()?;
        self.check_names()?;
        self.check_learning()?;
        let days = self.certificate_days;
        if !(1..=MOST_DAYS).contains(&days) {
            return refuse("certificate_days", days.to_string(), "1 to 3650 days");
        }
        self.inference.as_ref().map_or(Ok(()), crate::kit::InferenceSettings::check)
    }

    fn check_addresses(&self) -> Result<()> {
        const ADDRESS: &str = "HOST:PORT, such as coordinator.example.org:8443: where everybody dials";
        let host = self.address.rsplit_once(':').map(|(host, _)| host);
        let Some(host) = host.filter(|_| port(&self.address).is_some()) else {
            return refuse("address", self.address.clone(), ADDRESS);
        };
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        // A bare IPv6 address ends in digits that look like a port.
        let closed = !bare.contains(':') || host.starts_with('[') && host.ends_with(']');
        if bare.is_empty() || !closed || bare.contains(|c: char| c.is_whitespace() || "/@".contains(c)) {
            return refuse("address", self.address.clone(), ADDRESS);
        }
        let odd = |host: &&String| {
            host.is_empty() || host.contains(|c: char| c.is_whitespace() || ":/@".contains(c))
        };
        // Of IPv6 addresses, colons are a part.
        let odd = |host: &&String| odd(host) && host.parse::<std::net::IpAddr>().is_err();
        if let Some(host) = self.hosts.iter().find(odd) {
            let expected = "host names or addresses of the coordinator, without a port";
            return refuse("hosts", format!("`{host}`"), expected);
        }
        if let Some(listen) = &self.listen
            && (port(listen).is_none() || listen.to_socket_addrs().is_err())
        {
            return refuse("listen", listen.clone(), "ADDRESS:PORT of this machine, such as 0.0.0.0:8443");
        }
        Ok(())
    }

    /// Classes, backbone and width, which the study refuses as well, but only over keys that are there by then.
    fn check_learning(&self) -> Result<()> {
        let same = |a: &str, b: &str| a.to_lowercase() == b.to_lowercase();
        for (at, class) in self.classes.iter().enumerate() {
            if class.trim() != class || class.is_empty() || class.contains(char::is_control) {
                let expected = "names without spaces at their ends: labels are joined by name";
                return refuse("classes", format!("`{class}`"), expected);
            }
            if let Some(other) = self.classes[..at].iter().find(|other| same(other, class)) {
                let expected = "names that differ, capital letters aside: nobody would keep them apart";
                return refuse("classes", format!("{class}, and {other} is there already"), expected);
            }
        }
        if self.classes.len() < 2 {
            return refuse("classes", self.classes.len().to_string(), "two classes at least");
        }
        if unhex::<32>(&self.backbone.to_lowercase()).is_none() {
            let expected =
                "the 64 hexadecimal digits that `blindscope model show --digest --model MODEL` prints";
            return refuse("backbone", self.backbone.clone(), expected);
        }
        if !(1..=MOST_WIDTH).contains(&self.width) {
            return refuse("width", self.width.to_string(), "1 to 65536, the width of the backbone's tokens");
        }
        Ok(())
    }

    fn check_names(&self) -> Result<()> {
        let mut known = BTreeMap::from([(COORDINATOR.to_owned(), COORDINATOR.to_owned())]);
        let lists = [("sites", &self.sites), ("admins", &self.admins), ("askers", &self.askers)];
        for (key, names) in lists {
            for one in names {
                name(key, one)?;
                if let Some(other) = known.insert(one.to_lowercase(), one.clone()) {
                    let found = format!("{one}, and {other} is there already");
                    return refuse(
                        key,
                        found,
                        "names that differ, capital letters aside: each is a folder's",
                    );
                }
            }
        }
        if self.sites.len() < 2 {
            return refuse(
                "sites",
                self.sites.len().to_string(),
                "two sites at least: a sum of one is its values",
            );
        }
        let sites = self.sites.len() as u64;
        for (key, found, least) in [
            ("threshold", self.threshold, 1),
            ("minimum_cohort", self.minimum_cohort, u64::from(self.threshold)),
        ] {
            if !(least..=sites).contains(&u64::from(found)) {
                let expected = format!("{least} to {sites}, the number of sites");
                return refuse(key, found.to_string(), &expected);
            }
        }
        self.check_holders()?;
        if self.admins.is_empty() {
            return refuse("admins", "empty".to_owned(), "at least one: only administrators submit jobs");
        }
        Ok(())
    }
}

impl Project {
    /// Holders, which the study refuses as well, but only over keys that are there by then.
    fn check_holders(&self) -> Result<()> {
        for (at, holder) in self.holders.iter().enumerate() {
            if !self.sites.contains(holder) || self.holders.iter().take(at).any(|other| other == holder) {
                return refuse("holders", holder.clone(), "names of sites, each once");
            }
        }
        let (found, least) = (self.holders.len(), self.threshold.max(2) as usize);
        if found > 0 && found < least {
            return refuse("holders", found.to_string(), "as many as the threshold, and two at least");
        }
        Ok(())
    }
}

/// The port of an address, if it has one that can be dialled. Port 0 is any free one, for rehearsals.
fn port(address: &str) -> Option<u16> {
    address.rsplit_once(':')?.1.parse().ok()
}

/// Refuses a name that is no safe folder, file or column.
pub(crate) fn name(key: &'static str, name: &str) -> Result<()> {
    let fine = |c: u8| matches!(c, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.');
    if (1..=64).contains(&name.len()) && name.bytes().all(fine) && !name.starts_with('.') {
        return Ok(());
    }
    let found = format!("{name:?}");
    refuse(key, found, "1 to 64 of a-z, 0-9, -, _ and ., not beginning with a dot: names are folders")
}

fn refuse(key: &'static str, found: String, expected: &str) -> Result<()> {
    Err(Error::Project { key, found, expected: expected.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rehearsal;

    type Change = Box<dyn FnOnce(&mut Project)>;

    fn with(change: impl FnOnce(&mut Project)) -> Result<()> {
        let mut project = rehearsal::project(3, 2, 2);
        project.address = "coordinator.example.org:8443".to_owned();
        change(&mut project);
        project.check()
    }

    #[test]
    fn what_no_study_can_be_is_refused_with_the_key() {
        with(|_| {}).unwrap();
        with(|p| p.address = "[::1]:8443".to_owned()).unwrap();
        with(|p| p.backbone = "AB".repeat(32)).unwrap();
        with(|p| p.sites[0] = "hospital-a.example".to_owned()).unwrap();
        let address = |text: &'static str| -> Change { Box::new(move |p| p.address = text.to_owned()) };
        let site = |text: &'static str| -> Change { Box::new(move |p| p.sites[2] = text.to_owned()) };
        let cases: Vec<(&str, Change)> = vec![
            ("address", address("coordinator.example.org")),
            ("address", address("coordinator.example.org:")),
            ("address", address(":8443")),
            ("address", address("coordinator.example.org:99999")),
            ("address", address("coordinator.example.org:https")),
            ("address", address("https://coordinator.example.org:8443")),
            ("address", address("::1")),
            ("address", address("")),
            ("listen", Box::new(|p| p.listen = Some("0.0.0.0".to_owned()))),
            ("hosts", Box::new(|p| p.hosts = vec!["::1".to_owned(), "a b".to_owned()])),
            ("hosts", Box::new(|p| p.hosts = vec!["h:8443".to_owned()])),
            ("sites", Box::new(|p| p.sites.clear())),
            ("sites", Box::new(|p| p.sites.truncate(1))),
            ("sites", site("site-0")),
            ("sites", site("SITE-0")),
            ("sites", site("coordinator")),
            ("sites", site("a b")),
            ("sites", site("../a")),
            ("sites", site(".a")),
            ("sites", site("a/b")),
            ("sites", site("a\nb")),
            ("sites", site("")),
            ("sites", site("Klinik")),
            ("admins", Box::new(|p| p.admins.clear())),
            ("admins", Box::new(|p| p.admins.push("site-1".to_owned()))),
            ("askers", Box::new(|p| p.askers.push("admin".to_owned()))),
            ("certificate_days", Box::new(|p| p.certificate_days = 0)),
            ("certificate_days", Box::new(|p| p.certificate_days = 3651)),
            ("threshold", Box::new(|p| p.threshold = 4)),
            ("holders", Box::new(|p| p.holders = vec!["site-0".to_owned()])),
            ("holders", Box::new(|p| p.holders = vec!["site-0".to_owned(), "site-9".to_owned()])),
            ("holders", Box::new(|p| p.holders = vec!["site-0".to_owned(); 2])),
            ("minimum_cohort", Box::new(|p| p.minimum_cohort = 1)),
            ("classes", Box::new(|p| p.classes[1] = p.classes[0].to_uppercase())),
            ("classes", Box::new(|p| p.classes[1].push(' '))),
            ("classes", Box::new(|p| p.classes.truncate(1))),
            ("backbone", Box::new(|p| p.backbone.truncate(63))),
            ("width", Box::new(|p| p.width = 0)),
            ("name", Box::new(|p| p.name = "Lung study".to_owned())),
            (
                "inference.batch",
                Box::new(|p| {
                    p.inference = Some(crate::kit::InferenceSettings { batch: 0, ..Default::default() });
                }),
            ),
        ];
        for (expected, change) in cases {
            match with(change) {
                Err(Error::Project { key, .. }) => assert_eq!(key, expected),
                other => panic!("{expected}: {other:?}"),
            }
        }
    }
}
