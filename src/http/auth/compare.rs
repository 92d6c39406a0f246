//! A password against a hash, at the same cost whoever is named.

use crate::http::web_config::PasswordHash;

/// Salt and hash of no known password, for names that nobody has.
const NOBODY: &str = "ZAMHIWbVvZ4q2Dm0Y5zqKuF9rTn7hcUPyXvLs3oEa1wGdJi8kBq6O";

/// The hash again, if `matches`, which is bcrypt, says so of it. When not, the work is the same whoever was named,
/// or the time would tell which names there are: as much as the highest cost of the file takes.
pub(super) fn compare(
    hash: Option<PasswordHash>,
    highest: u32,
    mut matches: impl FnMut(&str) -> bool,
) -> Option<PasswordHash> {
    let Some(hash) = hash else {
        matches(&nobodys(highest));
        return None;
    };
    if matches(&hash.text) {
        return Some(hash);
    }
    // Each step of the cost doubles the work: c, and then c, c + 1, ... below the highest, are that of the highest.
    for cost in hash.cost..highest {
        matches(&nobodys(cost));
    }
    None
}

fn nobodys(cost: u32) -> String {
    format!("$2b${cost:02}${NOBODY}")
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    fn hash(cost: u32) -> PasswordHash {
        bcrypt::hash("a password", cost).unwrap().parse().unwrap()
    }

    /// What bcrypt is asked to do for a wrong password, in rounds.
    fn rounds(hash: Option<PasswordHash>, highest: u32) -> u64 {
        let mut rounds = 0;
        let right = compare(hash, highest, |hash| {
            rounds += 1 << hash.parse::<bcrypt::HashParts>().unwrap().get_cost();
            false
        });
        assert!(right.is_none());
        rounds
    }

    #[test]
    fn a_wrong_password_costs_the_same_whoever_is_named() {
        for cost in 4..=7 {
            assert_eq!(rounds(Some(hash(cost)), 7), 1 << 7, "{cost}");
        }
        assert_eq!(rounds(None, 7), 1 << 7, "nobody");
        assert_eq!((rounds(Some(hash(5)), 5), rounds(None, 5)), (1 << 5, 1 << 5));
    }

    #[test]
    fn the_work_for_nobody_is_really_done() {
        // An error would be an answer without work.
        assert!(!bcrypt::verify("a", &nobodys(4)).unwrap());
    }

    #[test]
    fn a_user_who_does_not_exist_is_let_in_by_no_answer() {
        assert!(compare(None, 4, |_| true).is_none());
    }
}
