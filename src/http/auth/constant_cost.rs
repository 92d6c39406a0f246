//! Verifies a password at the same cost for every name, so that the response time does not reveal which names exist.

use crate::http::web_config::PasswordHash;

/// Salt and hash that match no known password, for names that do not exist.
const UNMATCHED: &str = "ZAMHIWbVvZ4q2Dm0Y5zqKuF9rTn7hcUPyXvLs3oEa1wGdJi8kBq6O";

/// Returns the hash if `matches`, which is bcrypt, accepts it. `None` always takes as long as the highest cost of the
/// file, whether the name exists or not.
pub(super) fn verify(
    hash: Option<PasswordHash>,
    highest: u32,
    mut matches: impl FnMut(&str) -> bool,
) -> Option<PasswordHash> {
    let Some(hash) = hash else {
        matches(&unmatched(highest));
        return None;
    };
    if matches(&hash.text) {
        return Some(hash);
    }
    // Each step of the cost doubles the work. So one hash of each cost from c to the highest but one, beside the first
    // one of cost c, takes as long as one of the highest.
    for cost in hash.cost..highest {
        matches(&unmatched(cost));
    }
    None
}

/// Returns a hash of this cost that matches no known password.
fn unmatched(cost: u32) -> String {
    format!("$2b${cost:02}${UNMATCHED}")
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    fn hash(cost: u32) -> PasswordHash {
        bcrypt::hash("a password", cost).unwrap().parse().unwrap()
    }

    /// Returns the rounds of bcrypt for a wrong password.
    fn rounds(hash: Option<PasswordHash>, highest: u32) -> u64 {
        let mut rounds = 0;
        let matched = verify(hash, highest, |hash| {
            rounds += 1 << hash.parse::<bcrypt::HashParts>().unwrap().get_cost();
            false
        });
        assert!(matched.is_none());
        rounds
    }

    #[test]
    fn wrong_password_costs_the_same_for_every_name() {
        for cost in 4..=7 {
            assert_eq!(rounds(Some(hash(cost)), 7), 1 << 7, "{cost}");
        }
        assert_eq!(rounds(None, 7), 1 << 7, "unknown name");
        assert_eq!((rounds(Some(hash(5)), 5), rounds(None, 5)), (1 << 5, 1 << 5));
    }

    #[test]
    fn hash_for_unknown_name_is_computed() {
        // bcrypt returns an error at once, without work, if it cannot parse the hash.
        assert!(!bcrypt::verify("a", &unmatched(4)).unwrap());
    }

    #[test]
    fn unknown_name_is_never_allowed() {
        assert!(verify(None, 4, |_| true).is_none());
    }
}
