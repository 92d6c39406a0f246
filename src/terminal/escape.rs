//! Escapes text from outside, so that it cannot control a terminal or break a log, and limits its length.
//!
//! Input: texts of the server, the driver and clients, such as error messages and queue names. Output: one line without
//! characters that control a terminal, start a new line, or are invisible.

use std::fmt::Write;

use unicode_width::UnicodeWidthChar;

/// The longest message of the server or the driver, in characters.
pub const MESSAGE_LIMIT: usize = 500;

/// Returns `text` in one line of at most `limit` characters. Harmful ones are escaped, as in `\u{1b}`.
pub fn escaped(text: &str, limit: usize) -> String {
    let mut line = String::new();
    let mut length = 0;
    for (place, c) in text.chars().enumerate() {
        let starts_with_mark = place == 0 && c.width() == Some(0);
        let shown = if is_harmful(c) || starts_with_mark {
            // The code point itself: `escape_default` leaves a few characters as they are.
            if c.is_ascii() { c.escape_default().to_string() } else { c.escape_unicode().to_string() }
        } else {
            c.to_string()
        };
        length += shown.chars().count();
        if length > limit {
            line.push('…');
            break;
        }
        line += &shown;
    }
    line
}

/// Returns `text` with its line breaks, each line escaped. For multi-line output that contains names from the database.
pub fn escaped_lines(text: &str) -> String {
    text.split('\n').map(|line| escaped(line, usize::MAX)).collect::<Vec<_>>().join("\n")
}

/// Returns the same JSON with harmful characters as `\u001b`.
///
/// Outside of strings JSON has no harmful character but white space, so each one found is a part of a string.
pub fn escaped_json(json: &str) -> String {
    let mut escaped = String::with_capacity(json.len());
    for c in json.chars() {
        match c {
            '\n' | '\t' => escaped.push(c),
            '\r' => escaped.push(' '),
            _ if is_harmful(c) => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    let _ = write!(escaped, "\\u{unit:04x}");
                }
            }
            _ => escaped.push(c),
        }
    }
    escaped
}

/// Whether a character could control a terminal, reverse the direction of the text, or make two names look alike because
/// it is invisible.
///
/// Source: the Unicode properties `Cc`, `Zl`, `Zp`, `Noncharacter_Code_Point` and `Default_Ignorable_Code_Point`, the
/// interlinear annotation marks, musical and shorthand format marks, and the blank Braille pattern.
fn is_harmful(c: char) -> bool {
    let is_noncharacter = matches!(u32::from(c) & 0xffff, 0xfffe | 0xffff);
    c.is_control()
        || is_noncharacter
        || matches!(
            c,
            '\u{ad}'
                | '\u{34f}'
                | '\u{61c}'
                | '\u{115f}'..='\u{1160}'
                | '\u{17b4}'..='\u{17b5}'
                | '\u{180b}'..='\u{180f}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{2800}'
                | '\u{3164}'
                | '\u{fdd0}'..='\u{fdef}'
                | '\u{fe00}'..='\u{fe0f}'
                | '\u{feff}'
                | '\u{ffa0}'
                | '\u{fff0}'..='\u{fffb}'
                | '\u{1bca0}'..='\u{1bca3}'
                | '\u{1d173}'..='\u{1d17a}'
                | '\u{e0000}'..='\u{e0fff}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn harmful_characters_are_escaped() {
        for (text, shown) in [
            ("\u{1b}[31mred\nline\u{9b}0m \u{202e}ä🦀", "\\u{1b}[31mred\\nline\\u{9b}0m \\u{202e}ä🦀"),
            ("a\u{34f}b\u{115f}\u{180e}", "a\\u{34f}b\\u{115f}\\u{180e}"),
            ("\u{3164}\u{fff9}\u{e0100}\u{fe0f}", "\\u{3164}\\u{fff9}\\u{e0100}\\u{fe0f}"),
            ("\u{200b}\u{200d}\u{2066}\u{85}\u{7f}", "\\u{200b}\\u{200d}\\u{2066}\\u{85}\\u{7f}"),
            ("\u{301}e\u{301}", "\\u{301}e\u{301}"),
            ("\r\t\0", "\\r\\t\\u{0}"),
            ("größe 任务 עברית \"x\" '\\'", "größe 任务 עברית \"x\" '\\'"),
        ] {
            assert_eq!(escaped(text, 100), shown);
        }
    }

    #[test]
    fn long_text_is_cut_after_escaping() {
        assert_eq!(escaped("äöüß", 4), "äöüß");
        assert_eq!(escaped("äöüßx", 4), "äöüß…");
        let shown = escaped(&"\u{1b}".repeat(100_000), MESSAGE_LIMIT);
        assert!(shown.chars().count() <= MESSAGE_LIMIT + 1, "{shown}");
    }

    #[test]
    fn escaped_json_is_the_same_value() {
        let text = "\u{1b}]52;\u{9b}2J\u{202e}\u{e0100}\u{7f}\u{2028} ä🦀\r\n\"\\";
        let json = serde_json::to_string_pretty(&[text]).unwrap_or_default();
        let shown = escaped_json(&json);
        assert!(shown.chars().all(|c| c == '\n' || !is_harmful(c)), "{shown}");
        assert_eq!(serde_json::from_str::<Vec<String>>(&shown).ok(), Some(vec![text.to_owned()]));
    }
}
