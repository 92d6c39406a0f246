//! Dialogue of a maintaining command: results and questions on standard output, progress on standard error.

use std::io::{self, BufRead, IsTerminal, Write};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::terminal::escape::escaped_lines;

/// Standard input, output and error of the process.
#[derive(Debug, Default)]
pub struct Console {}

impl Console {
    /// Prints lines. A closed pipe is ignored, because a clean-up must not stop half-way.
    pub fn say(&self, text: &str) {
        let _ = writeln!(io::stdout(), "{}", escaped_lines(text));
    }

    /// Prints a question and returns the line of the answer, or `None` at the end of the input.
    ///
    /// If the future is dropped, a thread stays behind that waits for a line.
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

    /// Returns a progress bar for a number of rows. It is hidden if standard error is not a terminal.
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
