//! Counts with nouns.

/// Returns the count with its noun: `1 batch`, `2 batches`.
pub fn counted(count: u64, noun: &str) -> String {
    let plural = match (count, noun.ends_with("ch")) {
        (1, _) => "",
        (_, true) => "es",
        (_, false) => "s",
    };
    format!("{count} {noun}{plural}")
}
