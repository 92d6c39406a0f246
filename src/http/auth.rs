//! HTTP basic authentication (RFC 7617) against bcrypt hashes.
//!
//! Input: the users of [`crate::http::web_config`], a request's head and its client. Output: an [`AuthResult`]. Because
//! bcrypt is slow on purpose, one verification runs at a time, off the async threads. [`queue`] shares it fairly among
//! clients, and a successful login is cached. [`constant_cost`] hides which names exist.

mod constant_cost;
mod queue;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use axum::http::{HeaderMap, header};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use parking_lot::Mutex;
use ring::hmac;
use ring::rand::SystemRandom;

use self::constant_cost::verify;
use self::queue::{Fingerprint, LoginQueue};
use crate::http::client::Client;
use crate::http::web_config::PasswordHash;

/// The bytes of a password that bcrypt uses.
const USED_BYTES: usize = 72;

/// Outcome of a login.
#[derive(Debug, PartialEq, Eq)]
pub enum AuthResult {
    Allowed,
    /// The request has no name and password, or wrong ones.
    Denied,
    /// The login lost its place in the queue, or found none.
    TooManyLogins,
}

/// Checks logins. It is kept when the users' file is reloaded.
pub struct Authenticator {
    /// Random for each process, so that the cache reveals nothing about passwords.
    key: hmac::Key,
    /// By bcrypt hash: the HMAC of the password that last matched it.
    ///
    /// An entry never becomes wrong, because a password that matches a hash always does. Wrong passwords are not cached,
    /// because their number has no limit.
    verified: Arc<Mutex<HashMap<String, hmac::Tag>>>,
    queue: LoginQueue,
}

impl Authenticator {
    /// Returns an authenticator with a random key. Fails if the system has no random numbers.
    pub fn new() -> Result<Self, ring::error::Unspecified> {
        Ok(Self {
            key: hmac::Key::generate(hmac::HMAC_SHA256, &SystemRandom::new())?,
            verified: Arc::default(),
            queue: LoginQueue::default(),
        })
    }

    /// Checks the credentials in a request's head. Without users every request is allowed.
    pub async fn check(
        &self,
        users: &BTreeMap<String, PasswordHash>,
        head: &HeaderMap,
        client: Client,
    ) -> AuthResult {
        let Some(highest) = users.values().map(|hash| hash.cost).max() else {
            return AuthResult::Allowed;
        };
        let Some((name, password)) = credentials(head) else {
            return AuthResult::Denied;
        };
        let fingerprint = self.fingerprint(name.as_deref(), &password);
        let hash = name.and_then(|name| users.get(&name));
        if self.is_verified(hash, &password) {
            return AuthResult::Allowed;
        }
        let Some(ticket) = self.queue.enter(client, fingerprint) else {
            return AuthResult::TooManyLogins;
        };
        let Some(turn) = ticket.turn().await else {
            return AuthResult::TooManyLogins;
        };
        // An earlier login may have verified the same password meanwhile.
        if self.is_verified(hash, &password) {
            return AuthResult::Allowed;
        }
        let tag = hmac::sign(&self.key, &password);
        let all_hashes: Vec<String> = users.values().map(|hash| hash.text.clone()).collect();
        let (hash, verified) = (hash.cloned(), Arc::clone(&self.verified));
        // It runs to its end even if the client disconnects. The next scrape finds the result in the cache.
        let result = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            let bcrypt = |hash: &str| bcrypt::verify(&password, hash).unwrap_or(false);
            let Some(matched) = verify(hash, highest, bcrypt) else {
                return AuthResult::Denied;
            };
            let mut verified = verified.lock();
            verified.retain(|hash, _| all_hashes.contains(hash));
            verified.insert(matched.text, tag);
            AuthResult::Allowed
        });
        result.await.unwrap_or(AuthResult::Denied)
    }

    /// Returns a number for these credentials, from which they cannot be computed.
    fn fingerprint(&self, name: Option<&str>, password: &[u8]) -> Fingerprint {
        let mut context = hmac::Context::with_key(&self.key);
        for part in [name.unwrap_or_default().as_bytes(), b":", password] {
            context.update(part);
        }
        let bytes = context.sign();
        bytes.as_ref().iter().take(8).fold(0, |number, byte| number << 8 | Fingerprint::from(*byte))
    }

    /// Whether this password has matched this hash before.
    fn is_verified(&self, hash: Option<&PasswordHash>, password: &[u8]) -> bool {
        let verified = self.verified.lock();
        let tag = hash.and_then(|hash| verified.get(&hash.text));
        tag.is_some_and(|tag| hmac::verify(&self.key, password, tag.as_ref()).is_ok())
    }
}

/// Returns the name, or `None` in its place if it is not UTF-8, and the part of the password that bcrypt uses.
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
    Some((name, password[..password.len().min(USED_BYTES)].to_vec()))
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
    async fn only_right_password_of_user_is_allowed() {
        let users = users(&[
            ("alice", "ann", 4),
            ("bob", "ben:with a colon", 4),
            ("ärger", "ü", 4),
            ("empty", "", 4),
        ]);
        let authenticator = Authenticator::new().unwrap();
        // The second time, the cache answers.
        for _ in 0..2 {
            for (name, password) in
                [("alice", "ann"), ("bob", "ben:with a colon"), ("ärger", "ü"), ("empty", "")]
            {
                assert_eq!(
                    authenticator.check(&users, &login(name, password), HERE).await,
                    AuthResult::Allowed,
                    "{name}"
                );
            }
            for (name, password) in [
                ("alice", "Ann"),
                ("alice", ""),
                ("alice", "ben:with a colon"),
                ("bob", "ann"),
                ("Alice", "ann"),
                ("unknown", "ann"),
                ("", ""),
                // The same letters, divided at another place.
                ("alicea", "nn"),
                ("alic", "eann"),
            ] {
                let result = authenticator.check(&users, &login(name, password), HERE).await;
                assert_eq!(result, AuthResult::Denied, "{name}:{password}");
            }
        }
    }

    #[tokio::test]
    async fn malformed_credentials_are_denied_without_hashing() {
        let users = users(&[("alice", "ann", 4)]);
        let authenticator = Authenticator::new().unwrap();
        // The queue is full, so a login that needs bcrypt gets no place.
        let _turn = authenticator.queue.enter(HERE, rand::random()).unwrap().turn().await.unwrap();
        let _full: Vec<_> =
            (0..WAITING).map(|_| authenticator.queue.enter(HERE, rand::random()).unwrap()).collect();
        let encoded = BASE64_STANDARD.encode("alice:ann");
        for value in
            ["", "Basic", "Basic ", "Basic !!!", "Basic YWxpY2U=", &format!("Bearer {encoded}"), &encoded]
        {
            assert_eq!(authenticator.check(&users, &head(value), HERE).await, AuthResult::Denied, "{value}");
        }
        assert_eq!(authenticator.check(&users, &HeaderMap::new(), HERE).await, AuthResult::Denied);
        assert_eq!(
            authenticator.check(&users, &head(&format!("bAsIc {encoded}")), HERE).await,
            AuthResult::TooManyLogins
        );
        assert_eq!(authenticator.check(&BTreeMap::new(), &HeaderMap::new(), HERE).await, AuthResult::Allowed);
    }

    #[tokio::test]
    async fn only_first_72_bytes_of_password_count() {
        let long = "x".repeat(72);
        let users = users(&[("alice", &long, 4)]);
        let authenticator = Authenticator::new().unwrap();
        for (password, result) in [
            (long.clone(), AuthResult::Allowed),
            (format!("{long}y"), AuthResult::Allowed),
            ("x".repeat(5000), AuthResult::Allowed),
            ("x".repeat(71), AuthResult::Denied),
        ] {
            assert_eq!(
                authenticator.check(&users, &login("alice", &password), HERE).await,
                result,
                "{password}"
            );
        }
    }

    #[tokio::test]
    async fn cached_login_is_valid_until_hash_changes() {
        let (before, after) = (users(&[("alice", "ann", 4)]), users(&[("alice", "anna", 4)]));
        let authenticator = Authenticator::new().unwrap();
        assert_eq!(authenticator.check(&before, &login("alice", "ann"), HERE).await, AuthResult::Allowed);
        // From here on bcrypt is busy.
        let turn = authenticator.queue.enter(HERE, rand::random()).unwrap().turn().await.unwrap();
        assert_eq!(authenticator.check(&before, &login("alice", "ann"), HERE).await, AuthResult::Allowed);
        let (wrong, new) = (login("alice", "anna"), login("alice", "ann"));
        let waits = async |users, head| {
            tokio::time::timeout(Duration::from_millis(50), authenticator.check(users, head, HERE))
                .await
                .is_err()
        };
        assert!(waits(&before, &wrong).await, "a wrong password is in the cache");
        assert!(waits(&after, &new).await, "the old password is still valid");
        drop(turn);
        assert_eq!(authenticator.check(&after, &login("alice", "anna"), HERE).await, AuthResult::Allowed);
        assert_eq!(authenticator.verified.lock().len(), 1, "the old hash is still in the cache");
    }

    #[tokio::test]
    async fn login_of_disconnected_client_is_cached() {
        let (users, head) = (users(&[("alice", "ann", 12)]), login("alice", "ann"));
        let authenticator = Authenticator::new().unwrap();
        let timed_out = tokio::time::timeout(Duration::ZERO, authenticator.check(&users, &head, HERE));
        assert!(timed_out.await.is_err());
        // The first login has ended when this one gets its turn.
        drop(authenticator.queue.enter(HERE, rand::random()).unwrap().turn().await.unwrap());
        assert_eq!(authenticator.verified.lock().len(), 1);
    }

    #[tokio::test]
    async fn disconnected_client_leaves_queue() {
        let users = users(&[("alice", "ann", 4)]);
        let authenticator = Authenticator::new().unwrap();
        let turn = authenticator.queue.enter(HERE, rand::random()).unwrap().turn().await.unwrap();
        let (wrong, right) = (login("alice", "no"), login("alice", "ann"));
        let waits = authenticator.check(&users, &wrong, HERE);
        assert!(tokio::time::timeout(Duration::from_millis(50), waits).await.is_err());
        assert_eq!(authenticator.queue.waiting(), 0);
        drop(turn);
        assert_eq!(authenticator.check(&users, &right, HERE).await, AuthResult::Allowed);
    }
}
