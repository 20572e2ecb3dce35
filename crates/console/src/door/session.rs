//! The token of the terminal, and the one session that it opens.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::error::{Error, Result};

/// A session that nothing was asked in for so long is over.
const IDLE: Duration = Duration::from_hours(8);
/// A token that nobody has used for so long is none.
const FRESH: Duration = Duration::from_mins(15);

/// What is secret is kept as its digest: it is compared without telling how much of it was right.
type Secret = [u8; 32];

/// The token, and who came in by it.
pub(crate) struct Doors {
    state: Mutex<State>,
}

struct State {
    /// Of the token; none once it was used.
    token: Option<(Secret, Instant)>,
    session: Option<Session>,
}

struct Session {
    cookie: Secret,
    /// The word that forms carry.
    word: Zeroizing<String>,
    seen: Instant,
}

/// What became of a token.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Entered {
    /// The cookie of the session.
    In(Zeroizing<String>),
    /// It was used before, is too old, or never was one.
    Out,
}

impl Doors {
    /// Doors, and the token that opens them once.
    pub(crate) fn new() -> Result<(Self, Zeroizing<String>)> {
        let token = drawn()?;
        let state = State { token: Some((digest(&token), Instant::now())), session: None };
        Ok((Self { state: Mutex::new(state) }, token))
    }

    /// Uses the token up. A wrong one leaves the right one as it is.
    pub(crate) fn enter(&self, token: &str) -> Result<Entered> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let right =
            state.token.is_some_and(|(secret, since)| secret == digest(token) && since.elapsed() < FRESH);
        if !right {
            return Ok(Entered::Out);
        }
        let (cookie, word) = (drawn()?, drawn()?);
        state.token = None;
        state.session = Some(Session { cookie: digest(&cookie), word, seen: Instant::now() });
        Ok(Entered::In(cookie))
    }

    /// The word that forms of this cookie's session carry; nothing for a stranger.
    pub(crate) fn session(&self, cookie: &str) -> Option<Zeroizing<String>> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let session = state.session.as_mut()?;
        if session.cookie != digest(cookie) {
            return None;
        }
        if session.seen.elapsed() > IDLE {
            state.session = None;
            return None;
        }
        session.seen = Instant::now();
        Some(session.word.clone())
    }

    /// Ends the session.
    pub(crate) fn leave(&self) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).session = None;
    }
}

/// Whether a form's word is the session's.
pub(crate) fn same(word: &str, given: &str) -> bool {
    digest(word) == digest(given)
}

fn digest(text: &str) -> Secret {
    Sha256::digest(text.as_bytes()).into()
}

/// 256 random bits, hexadecimal.
fn drawn() -> Result<Zeroizing<String>> {
    let mut bytes = Zeroizing::new([0u8; 32]);
    getrandom::fill(&mut *bytes).map_err(|_| Error::Entropy)?;
    let mut text = Zeroizing::new(String::with_capacity(64));
    for byte in bytes.iter() {
        for digit in [byte >> 4, byte & 15] {
            text.push(char::from_digit(u32::from(digit), 16).unwrap_or('0'));
        }
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_opens_once_and_only_its_cookie_is_known() {
        let (doors, token) = Doors::new().unwrap();
        assert_eq!(doors.enter("00").unwrap(), Entered::Out, "a guess");
        assert!(doors.session("").is_none() && doors.session(&token).is_none());
        let Entered::In(cookie) = doors.enter(&token).unwrap() else { panic!("the token is good") };
        assert_eq!(doors.enter(&token).unwrap(), Entered::Out, "used");
        let word = doors.session(&cookie).unwrap();
        assert!(doors.session(&word).is_none() && word.len() == 64 && *word != *cookie);
        assert!(same(&word, &word) && !same(&word, "") && !same(&word, &cookie));
        doors.leave();
        assert!(doors.session(&cookie).is_none());
    }
}
