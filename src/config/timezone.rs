//! Translates a time zone for PostgreSQL.
//!
//! Input: a name, or an offset from UTC with positive values in the east, as in ISO 8601. Output: the same zone in
//! PostgreSQL's syntax. Because PostgreSQL reads `+05:30` and `UTC+2` as POSIX does, with positive values in the west, an
//! offset has to be translated.

/// Names of the time zone database that look like an offset after an abbreviation.
const NAMES: [&str; 7] = ["EST5EDT", "CST6CDT", "MST7MDT", "PST8PDT", "GMT0", "GMT+0", "GMT-0"];

/// The largest offset, in hours.
const MOST_HOURS: u32 = 15;

const ADVICE: &str = "write an offset as in +05:30, or name a zone such as Asia/Kolkata";

/// Returns the zone in PostgreSQL's syntax.
pub(crate) fn timezone(text: &str) -> Result<String, String> {
    let text = text.trim();
    if text.eq_ignore_ascii_case("z") {
        return Ok("UTC".to_owned());
    }
    let is_name = NAMES.iter().any(|name| name.eq_ignore_ascii_case(text));
    // PostgreSQL reads these correctly: a name such as Etc/GMT+3, hours such as 2 or 5.5, POSIX's form in brackets.
    if is_name
        || text.contains('/')
        || text.parse::<f64>().is_ok_and(|hours| hours.abs() < 16.0)
        || text.starts_with('<')
    {
        return Ok(text.to_owned());
    }
    let letters = text.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(text.len());
    let (prefix, rest) = text.split_at(letters);
    let is_utc = ["", "UTC", "GMT", "UT"].iter().any(|name| name.eq_ignore_ascii_case(prefix));
    let rest = rest.trim_start();
    if !rest.starts_with(|c: char| c.is_ascii_digit() || "+-\u{2212}".contains(c)) {
        return Ok(text.to_owned());
    }
    let offset = is_utc.then(|| offset(rest)).flatten();
    offset.ok_or_else(|| format!("an ambiguous offset: {ADVICE}"))
}

/// Parses `+05:30`, `+0530`, `+05` and `+5`, also with seconds. Returns POSIX's form, which has the opposite sign.
fn offset(text: &str) -> Option<String> {
    let (sign, digits) = match text.chars().next()? {
        '+' => ('+', &text[1..]),
        '-' => ('-', &text[1..]),
        '\u{2212}' => ('-', &text['\u{2212}'.len_utf8()..]),
        _ => return None,
    };
    let parts: Vec<&str> = match (digits.contains(':'), digits.len()) {
        (true, _) => digits.split(':').collect(),
        (false, 1 | 2) => vec![digits],
        (false, 4 | 6) if digits.is_ascii() => {
            (0..digits.len()).step_by(2).map(|place| &digits[place..place + 2]).collect()
        }
        _ => return None,
    };
    let is_number =
        |part: &&str| (1..=2).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
    let numbers: Vec<u32> =
        parts.iter().filter(|part| is_number(part)).filter_map(|part| part.parse().ok()).collect();
    let (hours, rest) = numbers.split_first()?;
    if numbers.len() != parts.len()
        || rest.len() > 2
        || *hours > MOST_HOURS
        || rest.iter().any(|part| *part > 59)
    {
        return None;
    }
    let minutes = rest.first().copied().unwrap_or_default();
    let seconds = rest.get(1).copied().unwrap_or_default();
    let west = if sign == '+' { '-' } else { '+' };
    let clock = format!("{hours:02}:{minutes:02}");
    Some(format!("<{sign}{clock}>{west}{clock}:{seconds:02}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_are_east_positive_and_names_stay() {
        for (text, zone) in [
            ("+05:30", "<+05:30>-05:30:00"),
            ("+0530", "<+05:30>-05:30:00"),
            ("-08:00", "<-08:00>+08:00:00"),
            ("\u{2212}08:00", "<-08:00>+08:00:00"),
            ("UTC+2", "<+02:00>-02:00:00"),
            ("utc +02:00", "<+02:00>-02:00:00"),
            ("GMT-3", "<-03:00>+03:00:00"),
            ("+01:02:03", "<+01:02>-01:02:03"),
            ("z", "UTC"),
            ("+05", "+05"),
            ("-8", "-8"),
            ("5.5", "5.5"),
            ("UTC", "UTC"),
            ("Asia/Kolkata", "Asia/Kolkata"),
            ("Etc/GMT+3", "Etc/GMT+3"),
            ("EST5EDT", "EST5EDT"),
            ("<+05>-05", "<+05>-05"),
            ("Asia/Kolkatta", "Asia/Kolkatta"),
            ("local", "local"),
        ] {
            assert_eq!(timezone(text).as_deref(), Ok(zone), "{text}");
        }
        for text in
            ["05:30", "+530", "+24:00", "+05:60", "CET+1", "IST-5:30", "XYZ5", "UTC+2x", "+05:30:00:00", "99"]
        {
            assert!(timezone(text).is_err_and(|why| why.contains("Asia/Kolkata")), "{text}");
        }
    }
}
