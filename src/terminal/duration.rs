//! Durations as text for people.

use std::time::Duration;

/// Returns a duration in its two largest units, without fractions of a second: `2h 3m`.
pub fn in_units(duration: Duration) -> String {
    seconds_in_units(duration.as_secs_f64())
}

/// Returns seconds, which may be negative, as [`in_units`] does.
pub fn seconds_in_units(seconds: f64) -> String {
    const UNITS: [(&str, f64); 4] = [("d", 86_400.0), ("h", 3_600.0), ("m", 60.0), ("s", 1.0)];
    let sign = if seconds <= -1.0 { "-" } else { "" };
    let mut rest = seconds.abs().floor();
    let Some(largest) = UNITS.iter().position(|(_, length)| rest >= *length) else { return "0s".to_owned() };
    let mut words = Vec::new();
    for (unit, length) in &UNITS[largest..UNITS.len().min(largest + 2)] {
        let count = (rest / length).floor();
        rest -= count * length;
        if count > 0.0 {
            words.push(format!("{count}{unit}"));
        }
    }
    format!("{sign}{}", words.join(" "))
}

/// Returns how long something took, with one decimal place: `12.3 ms` or `4.0 s`.
pub fn measured(seconds: f64) -> String {
    if seconds < 1.0 { format!("{:.1} ms", seconds * 1e3) } else { format!("{seconds:.1} s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_at_most_two_units() {
        for (seconds, text) in [
            (0.0, "0s"),
            (0.9, "0s"),
            (59.9, "59s"),
            (60.0, "1m"),
            (3_601.0, "1h"),
            (7_384.9, "2h 3m"),
            (86_430.0, "1d"),
            (-90.0, "-1m 30s"),
        ] {
            assert_eq!(seconds_in_units(seconds), text, "{seconds}");
        }
        assert_eq!(in_units(Duration::from_secs(90)), "1m 30s");
    }

    #[test]
    fn measured_times_have_one_decimal_place() {
        for (seconds, text) in [(0.000_04, "0.0 ms"), (0.0123, "12.3 ms"), (1.0, "1.0 s"), (83.25, "83.2 s")]
        {
            assert_eq!(measured(seconds), text);
        }
    }
}
