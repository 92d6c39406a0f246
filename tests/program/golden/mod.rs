//! Golden output: what each command prints for one fixed data set (`story.sql`), as a transcript of a terminal.
//!
//! A changed output fails a test. `INSTA_UPDATE=always cargo test --test program golden` writes the new output into
//! `snapshots/`, and the commit shows the difference. Times are shifted, so that the data set's `now` is the same in each
//! run. `REDACTIONS` replaces what depends on the machine.

mod checking;
mod maintaining;
mod mistakes;
mod reading;
mod story;

use std::fmt::Write;
use std::process::Output;
use std::time::{Duration, SystemTime};

use humantime::{format_rfc3339_seconds, parse_rfc3339};
use once_cell::sync::Lazy;
use regex::{Captures, Regex};

use self::story::Story;
use crate::support::process::{command, output, text};

/// The data set's `now` as the golden files show it.
const SHOWN_NOW: &str = "2026-03-02T12:00:00Z";

/// The commands that a person types and their output, for one data set.
struct Transcript {
    /// The moment that is shown as [`SHOWN_NOW`].
    now: SystemTime,
    text: String,
}

impl Transcript {
    fn new(now: SystemTime) -> Self {
        Transcript { now, text: String::new() }
    }

    /// Runs a command with this URL in its environment, and adds the command and its output.
    fn run(&mut self, url: &str, words: &[&str]) -> &mut Self {
        let mut command = command(words);
        // Without the warning about the password, which `check` prints as well.
        command.env("MARIE_EXPORTER_LOG_LEVEL", "error").env("DATABASE_URL", url);
        let output = command.output().expect("the binary can be started");
        self.add_command(&words.join(" "));
        self.text += &text(&output.stdout);
        self.add_errors(&output);
        self
    }

    /// Runs a command without a database, and adds the first lines of its output.
    fn run_head(&mut self, words: &[&str], lines: usize) {
        let output = output(words);
        self.add_command(&format!("{} | head -n {lines}", words.join(" ")));
        for line in text(&output.stdout).lines().take(lines) {
            let _ = writeln!(self.text, "{line}");
        }
        self.add_errors(&output);
    }

    fn add_command(&mut self, words: &str) {
        let gap = if self.text.is_empty() { "" } else { "\n" };
        let _ = writeln!(self.text, "{gap}$ marie-exporter {words}");
    }

    /// Adds the standard error of a command, and its exit status if that is not 0.
    fn add_errors(&mut self, output: &Output) {
        for line in text(&output.stderr).lines() {
            let _ = writeln!(self.text, "stderr: {line}");
        }
        if !output.status.success() {
            let _ = writeln!(self.text, "({})", output.status);
        }
    }

    /// Compares the text with a golden file.
    fn assert_matches(&self, file: &str) {
        let mut settings = insta::Settings::clone_current();
        settings.set_prepend_module_to_snapshot(false);
        settings.set_omit_expression(true);
        settings.bind(|| insta::assert_snapshot!(file, self.redacted()));
    }

    /// Returns the text as a golden file holds it.
    fn redacted(&self) -> String {
        let shifted = TIME.replace_all(&self.text, |time: &Captures<'_>| self.shifted(time));
        REDACTIONS.iter().fold(shifted.into_owned(), |text, (pattern, replacement)| {
            pattern.replace_all(&text, *replacement).into_owned()
        })
    }

    /// Returns a time that is as far from [`SHOWN_NOW`] as the printed one is from `now`, in the same form.
    fn shifted(&self, time: &Captures<'_>) -> String {
        let (separator, end) = (&time[2], &time[4]);
        let printed = parse_rfc3339(&format!("{}T{}Z", &time[1], &time[3])).expect("the pattern is a time");
        let shown_now = parse_rfc3339(SHOWN_NOW).expect("the constant is a time");
        let shown = match printed.duration_since(self.now) {
            Ok(later) => shown_now + later,
            Err(earlier) => shown_now - earlier.duration(),
        };
        let shown = format_rfc3339_seconds(shown).to_string();
        shown.replace('T', separator).replace('Z', end)
    }
}

static TIME: Lazy<Regex> = Lazy::new(|| {
    Regex::new(r"(\d{4}-\d\d-\d\d)([ T])(\d\d:\d\d:\d\d)(?:\.\d+)?(Z|\+00:00|\+00)")
        .expect("the pattern is right")
});

/// Patterns of text that differs between machines and releases, and their replacements.
static REDACTIONS: Lazy<Vec<(Regex, &str)>> = Lazy::new(|| {
    let redactions = [
        (r"127\.0\.0\.1:\d+", "127.0.0.1:PORT"),
        (r"marie_of_\w+", "marie"),
        (r"PostgreSQL \d+\.\d+( \([^)]*\))?", "PostgreSQL VERSION"),
        (r#""server_version": ".*""#, r#""server_version": "VERSION""#),
        // How long queries took.
        (r" +\d+\.\d ms", " TIME ms"),
        (r#""seconds": [\d.e-]+"#, r#""seconds": TIME"#),
        // Times that depend on when the command ran.
        (r"(what (?:ended|was written) before) .*", "$1 CUTOFF"),
        (r"It may take about .*", "It may take about TIME"),
    ];
    redactions
        .map(|(pattern, replacement)| (Regex::new(pattern).expect("the pattern is right"), replacement))
        .into()
});

/// Returns the start of the hour that a time is in.
fn hour(time: SystemTime) -> SystemTime {
    let seconds = time.duration_since(SystemTime::UNIX_EPOCH).expect("it is after 1970").as_secs();
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds / 3600 * 3600)
}
