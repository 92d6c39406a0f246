//! Parsers of single values: durations, shares, addresses, paths, expressions. Each returns the
//! reason alone; whoever calls it adds where it was given, and the value unless that may be a secret. So no reason
//! repeats what is not a number.

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
/// 365.25 days, which is what "1y" means to humantime.
pub(crate) const YEAR: Duration = Duration::from_hours(8766);

/// A parser of durations as people write them, from `least` to `most`.
pub(crate) fn duration(
    least: Duration,
    most: Duration,
) -> impl Fn(&str) -> Result<Duration, String> + Clone + Send + Sync + 'static {
    move |text| {
        let text = text.trim();
        // humantime takes a bare 0; a number without its unit is refused all the same.
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

/// A histogram's bounds, as in `100ms,1s,5m`.
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

/// A share above nothing and up to all of it, as `1%` or `0.01`.
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

/// Jobs a second, above zero.
#[cfg(feature = "demo")]
pub(crate) fn rate(text: &str) -> Result<f64, String> {
    match text.trim().parse::<f64>() {
        Ok(rate) if rate > 0.0 && rate <= 10_000.0 => Ok(rate),
        _ => Err("must be a number above 0 and at most 10000".to_owned()),
    }
}

/// Whether something is on.
pub(crate) fn switch(text: &str) -> Result<bool, String> {
    match text.trim().to_lowercase().as_str() {
        "true" | "yes" | "on" | "1" => Ok(true),
        "false" | "no" | "off" | "0" => Ok(false),
        _ => Err("must be true or false".to_owned()),
    }
}

/// The path of a file. A secret in its place is refused here, since a path is shown in messages.
pub(crate) fn file(path: PathBuf) -> Result<PathBuf, String> {
    let text = path.to_string_lossy();
    // A folder may be named after a systemd unit, as in /run/credentials/marie-exporter@prod.service.
    if looks_secret(&text) && !text.starts_with(['/', '.']) {
        return Err("must be the path of a file, not a URL or a secret".to_owned());
    }
    Ok(path)
}

/// A path for the metrics that leaves the exporter's other pages alone.
pub(crate) fn telemetry_path(text: &str) -> Result<String, String> {
    if !text.starts_with('/') {
        return Err("must begin with a slash, as in /metrics".to_owned());
    }
    if text == "/" || text.starts_with("/-/") {
        return Err("is taken by a page of the exporter's own, choose another".to_owned());
    }
    // Braces, colons and asterisks have a meaning to the router, which panics on some of them.
    if text.contains(|c: char| !c.is_ascii_alphanumeric() && !"/-._~".contains(c)) {
        return Err("may have letters, digits and /-._~ only".to_owned());
    }
    Ok(text.to_owned())
}

/// A queue's name as Marie accepts it from its clients.
pub(crate) fn queue(text: &str) -> Result<String, String> {
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if text.is_empty() || text.len() > 255 || !text.chars().all(is_allowed) {
        return Err("must be 1 to 255 letters, digits, - _ and .".to_owned());
    }
    Ok(text.to_owned())
}

/// The id of a job or DAG.
pub(crate) fn id(text: &str) -> Result<Uuid, String> {
    text.parse().map_err(|_| "must be a UUID, as in 0192f0c1-2d3e-7f00-8000-000000000001".to_owned())
}

/// KEY=VALUE; the value may be empty and have more equals signs.
pub(crate) fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("must be written KEY=VALUE".to_owned()),
    }
}

/// An expression that must match the whole text, as in Prometheus.
pub(crate) fn anchored_regex(text: &str) -> Result<Regex, String> {
    // Alone first: "a)|(b" is an error although it would close the group around it.
    Regex::new(text).and_then(|_| Regex::new(&format!("^(?s:{text})$"))).map_err(|error| {
        // The crate's message draws a caret under the expression; its last line says it all.
        let text = error.to_string();
        let reason = text.lines().last().unwrap_or_default();
        reason.trim_start_matches("error: ").to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_written_as_people_do() {
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
    fn a_share_is_a_percentage_or_a_ratio() {
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
    fn the_telemetry_path_collides_with_no_other_page() {
        assert_eq!(telemetry_path("/a/metrics.txt"), Ok("/a/metrics.txt".to_owned()));
        for text in ["", "metrics", "/", "/-/healthy", "/-/ready", "/{a}", "/:a", "/*a", "/a?b"] {
            assert!(telemetry_path(text).is_err(), "{text}");
        }
    }

    #[test]
    fn an_expression_matches_the_whole_name() {
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
