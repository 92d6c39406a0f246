//! Where a maintaining command speaks to the person who runs it: its findings on standard output, its progress on
//! standard error where that is a terminal.

use std::io::{self, BufRead, IsTerminal, Write};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::terminal::escape::escaped_lines;

/// The terminal, or what stands in for it.
#[derive(Debug, Default)]
pub struct Console {}

impl Console {
    /// Prints a line, or several. A closed pipe is no reason to stop half-way.
    pub fn say(&self, text: &str) {
        let _ = writeln!(io::stdout(), "{}", escaped_lines(text));
    }

    /// Asks, and waits for a line; none where the input is at its end. Whoever stops waiting leaves a thread behind that
    /// still does.
    ///
    /// # Errors
    /// When standard input cannot be read.
    pub async fn ask(&self, question: &str) -> io::Result<Option<String>> {
        let mut out = io::stdout();
        let _ = write!(out, "{} ", escaped_lines(question));
        let _ = out.flush();
        let answer = tokio::task::spawn_blocking(|| {
            let mut line = String::new();
            let read = io::stdin().lock().read_line(&mut line)?;
            Ok((read > 0).then(|| line.trim_end_matches(['\r', '\n']).to_owned()))
        });
        answer.await.map_err(io::Error::other)?
    }

    /// A bar that counts so many rows.
    pub fn progress(&self, rows: u64) -> ProgressBar {
        let target = if io::stderr().is_terminal() {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        };
        let bar = ProgressBar::with_draw_target(Some(rows), target);
        let style = ProgressStyle::with_template("{bar:40} {human_pos} of {human_len} rows, {eta} left");
        bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
    }
}
