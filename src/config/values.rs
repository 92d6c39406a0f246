//! Parsers of single values: durations, shares, paths, expressions.
//!
//! An error is only the reason. The caller adds the setting, the origin and, unless it may be a secret, the value. So a
//! reason repeats numbers only.

use std::path::PathBuf;
use std::time::Duration;

use regex::Regex;
use sqlx::types::Uuid;

use super::Buckets;
use super::error::looks_secret;

pub(crate) const MILLISECOND: Duration = Duration::from_millis(1);
pub(crate) const SECOND: Duration = Duration::from_secs(1);
pub(crate) const HOUR: Duration = Duration::from_hours(1);
pub(crate) const DAY: Duration = Duration::from_hours(24);
pub(crate) const WEEK: Duration = Duration::from_hours(7 * 24);
/// 365.25 days, humantime's "1y".
pub(crate) const YEAR: Duration = Duration::from_hours(8766);

/// Returns a parser of durations such as `1h30m`, from `least` to `most`.
pub(crate) fn duration(
    least: Duration,
    most: Duration,
) -> impl Fn(&str) -> Result<Duration, String> + Clone + Send + Sync + 'static {
    move |text| {
        let text = text.trim();
        // humantime accepts 0 without a unit.
        if text.parse::<f64>().is_ok() {
            return Err(format!("a duration needs its unit, as in {text}s"));
        }
        let duration = humantime::parse_duration(text)
            .map_err(|_| "not a duration, write it as in 90s, 5m or 1h30m".to_owned())?;
        if duration < least || duration > most {
            let [least, most] = [least, most].map(humantime::format_duration);
            return Err(format!("must be from {least} to {most}"));
        }
        Ok(duration)
    }
}

/// Parses the bounds of a histogram, as in `100ms,1s,5m`.
pub(crate) fn buckets(text: &str) -> Result<Buckets, String> {
    let bound = duration(Duration::from_micros(1), YEAR);
    let bounds = (1..)
        .zip(text.split(','))
        .map(|(place, text)| bound(text).map_err(|reason| format!("bound {place}: {reason}")))
        .collect::<Result<Vec<_>, _>>()?;
    if bounds.windows(2).all(|pair| pair[0] < pair[1]) {
        Ok(Buckets(bounds))
    } else {
        Err("each bound must be above the one before".to_owned())
    }
}

/// Parses a share above 0 and at most 1, as in `1%` or `0.01`.
pub(crate) fn ratio(text: &str) -> Result<f64, String> {
    let (number, unit) = match text.trim().strip_suffix('%') {
        Some(percent) => (percent.trim_end(), 100.0),
        None => (text.trim(), 1.0),
    };
    let ratio =
        number.parse::<f64>().map_err(|_| "not a share, write it as in 1% or 0.01".to_owned())? / unit;
    if ratio > 0.0 && ratio <= 1.0 {
        Ok(ratio)
    } else if unit > 1.0 || !(1.0..=100.0).contains(&ratio) {
        Err("must be above 0% and at most 100%".to_owned())
    } else {
        Err(format!("must be above 0 and at most 1; for percent write {number}%"))
    }
}

/// Parses jobs a second, above zero.
#[cfg(feature = "demo")]
pub(crate) fn rate(text: &str) -> Result<f64, String> {
    match text.trim().parse::<f64>() {
        Ok(rate) if rate > 0.0 && rate <= 10_000.0 => Ok(rate),
        _ => Err("must be a number above 0 and at most 10000".to_owned()),
    }
}

/// Parses a boolean.
pub(crate) fn switch(text: &str) -> Result<bool, String> {
    match text.trim().to_lowercase().as_str() {
        "true" | "yes" | "on" | "1" => Ok(true),
        "false" | "no" | "off" | "0" => Ok(false),
        _ => Err("must be true or false".to_owned()),
    }
}

/// Checks the path of a file. Because messages show paths, a value that looks like a secret is rejected.
pub(crate) fn file(path: PathBuf) -> Result<PathBuf, String> {
    let text = path.to_string_lossy();
    // A folder may have the name of a systemd unit, as in /run/credentials/marie-exporter@prod.service.
    if looks_secret(&text) && !text.starts_with(['/', '.']) {
        return Err("must be the path of a file, not a URL or a secret".to_owned());
    }
    Ok(path)
}

/// Parses the URL path of the metrics. It must not be that of another page.
pub(crate) fn telemetry_path(text: &str) -> Result<String, String> {
    if !text.starts_with('/') {
        return Err("must begin with a slash, as in /metrics".to_owned());
    }
    if text == "/" || text.starts_with("/-/") {
        return Err("is the path of another page of the exporter, choose another".to_owned());
    }
    // The router interprets braces, colons and asterisks, and panics on some of them.
    if text.contains(|c: char| !c.is_ascii_alphanumeric() && !"/-._~".contains(c)) {
        return Err("may have letters, digits and /-._~ only".to_owned());
    }
    Ok(text.to_owned())
}

/// Parses the name of a queue, with the characters that Marie accepts.
pub(crate) fn queue(text: &str) -> Result<String, String> {
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if text.is_empty() || text.len() > 255 || !text.chars().all(is_allowed) {
        return Err("must be 1 to 255 letters, digits, - _ and .".to_owned());
    }
    Ok(text.to_owned())
}

/// Parses the id of a job or DAG.
pub(crate) fn id(text: &str) -> Result<Uuid, String> {
    text.parse().map_err(|_| "must be a UUID, as in 0192f0c1-2d3e-7f00-8000-000000000001".to_owned())
}

/// Parses KEY=VALUE. The value may be empty and contain equals signs.
pub(crate) fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("must be written KEY=VALUE".to_owned()),
    }
}

/// Parses a regular expression that must match the whole text, as in Prometheus.
pub(crate) fn anchored_regex(text: &str) -> Result<Regex, String> {
    // First without the group: "a)|(b" is an error, although it would be valid inside one.
    Regex::new(text).and_then(|_| Regex::new(&format!("^(?s:{text})$"))).map_err(|error| {
        // The message draws a caret below the expression. Its last line is the reason.
        let text = error.to_string();
        let reason = text.lines().last().unwrap_or_default();
        reason.trim_start_matches("error: ").to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_need_units_and_have_limits() {
        let parse = duration(MILLISECOND, DAY);
        for (text, seconds) in [("90s", 90), ("1h30m", 5400), ("1h 30m", 5400), (" 5m ", 300)] {
            assert_eq!(parse(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for (text, reason) in [
            ("15", "a duration needs its unit, as in 15s"),
            ("0", "a duration needs its unit, as in 0s"),
            ("0s", "must be from 1ms to 1day"),
            ("10us", "must be from 1ms to 1day"),
            ("25h", "must be from 1ms to 1day"),
            ("soon", "not a duration, write it as in 90s, 5m or 1h30m"),
            ("-5m", "not a duration, write it as in 90s, 5m or 1h30m"),
            ("99999999999999999999y", "not a duration, write it as in 90s, 5m or 1h30m"),
        ] {
            assert_eq!(parse(text), Err(reason.to_owned()), "{text}");
        }
        assert_eq!(duration(Duration::ZERO, YEAR)("1y"), Ok(YEAR));
        assert_eq!(duration(Duration::ZERO, YEAR)("0s"), Ok(Duration::ZERO));
    }

    #[test]
    fn share_is_percentage_or_ratio() {
        for (text, share) in [("1%", 0.01), ("0.01", 0.01), ("100 %", 1.0), ("1", 1.0)] {
            assert_eq!(ratio(text), Ok(share), "{text}");
        }
        for (text, reason) in [
            ("0", "must be above 0% and at most 100%"),
            ("NaN", "must be above 0% and at most 100%"),
            ("101%", "must be above 0% and at most 100%"),
            ("-1%", "must be above 0% and at most 100%"),
            ("5", "must be above 0 and at most 1; for percent write 5%"),
            ("little", "not a share, write it as in 1% or 0.01"),
        ] {
            assert_eq!(ratio(text), Err(reason.to_owned()), "{text}");
        }
    }

    #[test]
    fn telemetry_path_of_another_page_is_rejected() {
        assert_eq!(telemetry_path("/a/metrics.txt"), Ok("/a/metrics.txt".to_owned()));
        for text in ["", "metrics", "/", "/-/healthy", "/-/ready", "/{a}", "/:a", "/*a", "/a?b"] {
            assert!(telemetry_path(text).is_err(), "{text}");
        }
    }

    #[test]
    fn expression_matches_whole_name() {
        for (expression, name, matches) in [
            ("extract", "extract", true),
            ("extract", "extracter", false),
            ("extract", "reextract", false),
            ("a|b", "b", true),
            ("a|b", "ab", false),
            (".*", "two\nlines", true),
            ("", "extract", false),
        ] {
            let regex = anchored_regex(expression).unwrap();
            assert_eq!(regex.is_match(name), matches, "{expression} on {name}");
        }
        assert_eq!(anchored_regex("a(b").unwrap_err(), "unclosed group");
        assert_eq!(anchored_regex("a)|(b").unwrap_err(), "unopened group");
    }
}
