//! Passwords over HTTP (RFC 7617) against bcrypt hashes. Bcrypt is slow on purpose, so there is one computation at a
//! time, away from the threads that serve. The queue for it is fair to each client, and a password that was right once
//! is recognized without a computation.

mod compare;
mod queue;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use axum::http::{HeaderMap, header};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use parking_lot::Mutex;
use ring::hmac;
use ring::rand::SystemRandom;

use self::compare::compare;
use self::queue::{Code, Queue};
use crate::http::client::Client;
use crate::http::web_config::PasswordHash;

/// All that bcrypt looks at.
const LONGEST: usize = 72;

/// What to do with a request.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    Welcome,
    /// No name and password, or wrong ones.
    Stranger,
    /// Too many logins are being looked at.
    Busy,
}

/// The door. It outlives the users, who change with their file.
pub struct Logins {
    /// Random, so that what is remembered tells nothing about passwords.
    key: hmac::Key,
    /// For a hash the password that was last found to match it, as a code by the key.
    ///
    /// That such a password matches such a hash stays true whatever the file says, and whose it is does not
    /// matter: there is nothing to invalidate, and no way to take one entry for another. Wrong passwords are
    /// not remembered. There is no end to them, and whoever tries them may wait.
    known: Arc<Mutex<HashMap<String, hmac::Tag>>>,
    queue: Queue,
}

impl Logins {
    /// # Errors
    /// When the system has no random numbers.
    pub fn new() -> Result<Self, ring::error::Unspecified> {
        Ok(Self {
            key: hmac::Key::generate(hmac::HMAC_SHA256, &SystemRandom::new())?,
            known: Arc::default(),
            queue: Queue::default(),
        })
    }

    /// Judges a request by its head. Where there are no users, everybody is welcome.
    pub async fn judge(
        &self,
        users: &BTreeMap<String, PasswordHash>,
        head: &HeaderMap,
        from: Client,
    ) -> Verdict {
        let Some(highest) = users.values().map(|hash| hash.cost).max() else {
            return Verdict::Welcome;
        };
        let Some((name, password)) = credentials(head) else {
            return Verdict::Stranger;
        };
        let code = self.code(name.as_deref(), &password);
        let hash = name.and_then(|name| users.get(&name));
        if self.is_known(hash, &password) {
            return Verdict::Welcome;
        }
        let Some(ticket) = self.queue.enter(from, code) else {
            return Verdict::Busy;
        };
        let Some(turn) = ticket.turn().await else {
            return Verdict::Busy;
        };
        // A login before this one may have had the same password.
        if self.is_known(hash, &password) {
            return Verdict::Welcome;
        }
        let code = hmac::sign(&self.key, &password);
        let others: Vec<String> = users.values().map(|hash| hash.text.clone()).collect();
        let (hash, known) = (hash.cloned(), Arc::clone(&self.known));
        // A caller who goes away does not stop it, nor is its result lost: the next scrape finds it.
        let compared = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            let bcrypt = |hash: &str| bcrypt::verify(&password, hash).unwrap_or(false);
            let Some(right) = compare(hash, highest, bcrypt) else {
                return Verdict::Stranger;
            };
            let mut known = known.lock();
            known.retain(|hash, _| others.contains(hash));
            known.insert(right.text, code);
            Verdict::Welcome
        });
        compared.await.unwrap_or(Verdict::Stranger)
    }

    /// Returns a number for these credentials.
    fn code(&self, name: Option<&str>, password: &[u8]) -> Code {
        let mut context = hmac::Context::with_key(&self.key);
        for part in [name.unwrap_or_default().as_bytes(), b":", password] {
            context.update(part);
        }
        context.sign().as_ref().iter().take(8).fold(0, |code, byte| code << 8 | Code::from(*byte))
    }

    fn is_known(&self, hash: Option<&PasswordHash>, password: &[u8]) -> bool {
        let known = self.known.lock();
        let code = hash.and_then(|hash| known.get(&hash.text));
        code.is_some_and(|code| hmac::verify(&self.key, password, code.as_ref()).is_ok())
    }
}

/// Name and password, the latter without what bcrypt ignores. A name that is not UTF-8 is nobody's.
fn credentials(head: &HeaderMap) -> Option<(Option<String>, Vec<u8>)> {
    let value = head.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, encoded) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = BASE64_STANDARD.decode(encoded.trim()).ok()?;
    let colon = decoded.iter().position(|byte| *byte == b':')?;
    let name = String::from_utf8(decoded[..colon].to_vec()).ok();
    let password = &decoded[colon + 1..];
    Some((name, password[..password.len().min(LONGEST)].to_vec()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use std::time::Duration;

    use super::queue::WAITING;
    use super::*;

    const HERE: Client = Client::V4(std::net::Ipv4Addr::LOCALHOST);

    fn users(given: &[(&str, &str, u32)]) -> BTreeMap<String, PasswordHash> {
        let hash = |password: &str, cost| bcrypt::hash(password, cost).unwrap().parse().unwrap();
        let given = given.iter().map(|(name, password, cost)| ((*name).to_owned(), hash(password, *cost)));
        given.collect()
    }

    fn head(value: &str) -> HeaderMap {
        HeaderMap::from_iter([(header::AUTHORIZATION, value.parse().unwrap())])
    }

    fn login(name: &str, password: &str) -> HeaderMap {
        head(&format!("Basic {}", BASE64_STANDARD.encode(format!("{name}:{password}"))))
    }

    #[tokio::test]
    async fn only_the_right_password_of_the_right_user_is_welcome() {
        let users = users(&[
            ("alice", "ann", 4),
            ("bob", "ben:with a colon", 4),
            ("ärger", "ü", 4),
            ("empty", "", 4),
        ]);
        let logins = Logins::new().unwrap();
        // Twice, for the second time is answered from memory.
        for _ in 0..2 {
            for (name, password) in
                [("alice", "ann"), ("bob", "ben:with a colon"), ("ärger", "ü"), ("empty", "")]
            {
                assert_eq!(
                    logins.judge(&users, &login(name, password), HERE).await,
                    Verdict::Welcome,
                    "{name}"
                );
            }
            for (name, password) in [
                ("alice", "Ann"),
                ("alice", ""),
                ("alice", "ben:with a colon"),
                ("bob", "ann"),
                ("Alice", "ann"),
                ("nobody", "ann"),
                ("", ""),
                // The same text with the border elsewhere.
                ("alicea", "nn"),
                ("alic", "eann"),
            ] {
                let verdict = logins.judge(&users, &login(name, password), HERE).await;
                assert_eq!(verdict, Verdict::Stranger, "{name}:{password}");
            }
        }
    }

    #[tokio::test]
    async fn malformed_credentials_are_denied_without_hashing() {
        let users = users(&[("alice", "ann", 4)]);
        let logins = Logins::new().unwrap();
        // No place is free, so a login that needs one is refused.
        let _turn = logins.queue.enter(HERE, rand::random()).unwrap().turn().await.unwrap();
        let _full: Vec<_> = (0..WAITING).map(|_| logins.queue.enter(HERE, rand::random()).unwrap()).collect();
        let encoded = BASE64_STANDARD.encode("alice:ann");
        for value in
            ["", "Basic", "Basic ", "Basic !!!", "Basic YWxpY2U=", &format!("Bearer {encoded}"), &encoded]
        {
            assert_eq!(logins.judge(&users, &head(value), HERE).await, Verdict::Stranger, "{value}");
        }
        assert_eq!(logins.judge(&users, &HeaderMap::new(), HERE).await, Verdict::Stranger);
        assert_eq!(logins.judge(&users, &head(&format!("bAsIc {encoded}")), HERE).await, Verdict::Busy);
        assert_eq!(logins.judge(&BTreeMap::new(), &HeaderMap::new(), HERE).await, Verdict::Welcome);
    }

    #[tokio::test]
    async fn only_first_72_bytes_of_password_count() {
        let long = "x".repeat(72);
        let users = users(&[("alice", &long, 4)]);
        let logins = Logins::new().unwrap();
        for (password, verdict) in [
            (long.clone(), Verdict::Welcome),
            (format!("{long}y"), Verdict::Welcome),
            ("x".repeat(5000), Verdict::Welcome),
            ("x".repeat(71), Verdict::Stranger),
        ] {
            assert_eq!(logins.judge(&users, &login("alice", &password), HERE).await, verdict, "{password}");
        }
    }

    #[tokio::test]
    async fn what_was_right_once_is_known_until_the_hash_changes() {
        let (before, after) = (users(&[("alice", "ann", 4)]), users(&[("alice", "anna", 4)]));
        let logins = Logins::new().unwrap();
        assert_eq!(logins.judge(&before, &login("alice", "ann"), HERE).await, Verdict::Welcome);
        // From here on no login gets as far as bcrypt.
        let turn = logins.queue.enter(HERE, rand::random()).unwrap().turn().await.unwrap();
        assert_eq!(logins.judge(&before, &login("alice", "ann"), HERE).await, Verdict::Welcome);
        let (wrong, new) = (login("alice", "anna"), login("alice", "ann"));
        let waits = async |users, head| {
            tokio::time::timeout(Duration::from_millis(50), logins.judge(users, head, HERE)).await.is_err()
        };
        assert!(waits(&before, &wrong).await, "a wrong one is not known");
        assert!(waits(&after, &new).await, "the old one is not known any more");
        drop(turn);
        assert_eq!(logins.judge(&after, &login("alice", "anna"), HERE).await, Verdict::Welcome);
        assert_eq!(logins.known.lock().len(), 1, "what no user has is forgotten");
    }

    #[tokio::test]
    async fn a_caller_who_goes_away_has_logged_in_all_the_same() {
        let (users, head) = (users(&[("alice", "ann", 12)]), login("alice", "ann"));
        let logins = Logins::new().unwrap();
        let given_up = tokio::time::timeout(Duration::ZERO, logins.judge(&users, &head, HERE));
        assert!(given_up.await.is_err());
        // Once it is this login's turn, the password is known.
        drop(logins.queue.enter(HERE, rand::random()).unwrap().turn().await.unwrap());
        assert_eq!(logins.known.lock().len(), 1);
    }

    #[tokio::test]
    async fn abandoned_login_frees_its_place() {
        let users = users(&[("alice", "ann", 4)]);
        let logins = Logins::new().unwrap();
        let turn = logins.queue.enter(HERE, rand::random()).unwrap().turn().await.unwrap();
        let (wrong, right) = (login("alice", "no"), login("alice", "ann"));
        let waits = logins.judge(&users, &wrong, HERE);
        assert!(tokio::time::timeout(Duration::from_millis(50), waits).await.is_err());
        assert_eq!(logins.queue.waiting(), 0);
        drop(turn);
        assert_eq!(logins.judge(&users, &right, HERE).await, Verdict::Welcome);
    }
}
