//! Runs `promtool check metrics` on an exposition.

use std::io::Write;
use std::process::{Command, Stdio};

/// Returns what promtool reports; an empty text if it finds nothing to improve.
pub(crate) fn promtool(text: &str) -> String {
    let mut promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("this test needs promtool, which `make test` installs");
    promtool.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = promtool.wait_with_output().unwrap();
    let report = [output.stdout, output.stderr].concat();
    String::from_utf8(report).unwrap() + if output.status.success() { "" } else { "(it failed)" }
}
