//! Starts the built binary, reads its log, sends it signals and waits for its end.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

/// Longest wait for a line or the end, on a loaded machine too.
const PATIENCE: Duration = Duration::from_secs(30);

/// Returns the command with these arguments and an empty environment.
pub(crate) fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_marie-exporter"));
    command.args(arguments).env_clear();
    command
}

/// Runs the binary to its end.
pub(crate) fn output(arguments: &[&str]) -> Output {
    command(arguments).output().expect("the binary can be started")
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Running `marie-exporter serve`; dropping it kills the process.
pub(crate) struct Process {
    child: Child,
    lines: Receiver<String>,
    /// The log lines read so far.
    pub(crate) log: String,
    /// The addresses it serves, such as `http://127.0.0.1:PORT`.
    pub(crate) addresses: Vec<String>,
}

impl Process {
    /// Serves this database on a free port, with short intervals.
    pub(crate) fn serve(url: &str, flags: &[&str]) -> Self {
        // Defaults are set in the environment, so that flags replace them.
        let mut command = command(&["serve", "--database-url", url, "--web.listen-address=127.0.0.1:0"]);
        command.args(flags);
        command.env("MARIE_EXPORTER_COLLECTOR_INTERVAL", "200ms");
        command.env("MARIE_EXPORTER_COLLECTOR_SLOW_INTERVAL", "500ms");
        // Without the hold, tests need not wait for new series.
        command.env("MARIE_EXPORTER_EVENTS_NEW_SERIES_HOLD", "0s");
        Self::start(command, 1)
    }

    /// Starts the command and waits until it serves on that many addresses.
    pub(crate) fn start(command: Command, listeners: usize) -> Self {
        Self::start_with_input(command, listeners, Stdio::null())
    }

    /// Does the same as [`Process::start`], with this standard input.
    pub(crate) fn start_with_input(mut command: Command, listeners: usize, input: Stdio) -> Self {
        let mut child = command
            .stdin(input)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary can be started");
        let (send, lines) = channel();
        let errors = child.stderr.take().expect("standard error is a pipe");
        thread::spawn(move || {
            for line in BufReader::new(errors).lines().map_while(Result::ok) {
                if send.send(line).is_err() {
                    break;
                }
            }
        });
        let mut process = Process { child, lines, log: String::new(), addresses: Vec::new() };
        while process.addresses.len() < listeners {
            let line = process.line();
            for scheme in ["http://", "https://"] {
                if let Some((_, rest)) = line.split_once(scheme) {
                    let host = rest.split('/').next().unwrap_or_default();
                    process.addresses.push(format!("{scheme}{host}"));
                }
            }
        }
        process
    }

    pub(crate) fn address(&self) -> &str {
        &self.addresses[0]
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits for the next log line and returns it.
    pub(crate) fn line(&mut self) -> String {
        let line = self.lines.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("no more log: {}", self.log));
        self.log.push_str(&line);
        self.log.push('\n');
        line
    }

    /// Reads the log until a line contains this text; returns the line.
    pub(crate) fn until_logged(&mut self, what: &str) -> String {
        loop {
            let line = self.line();
            if line.contains(what) {
                return line;
            }
        }
    }

    /// Closes our end of its log, as a pager or log shipper does when it exits.
    pub(crate) fn stop_reading(&mut self) {
        self.lines = channel().1;
    }

    /// Sends a signal (`TERM`, `INT`) and waits; returns the exit status, how long the end took, and the whole log.
    pub(crate) fn end(self, signal: &str) -> (ExitStatus, Duration, String) {
        send(signal, self.id());
        self.wait()
    }

    /// Waits until the process ends; returns the same as [`Process::end`].
    pub(crate) fn wait(mut self) -> (ExitStatus, Duration, String) {
        let began = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("the binary can be waited for") {
                break status;
            }
            assert!(began.elapsed() < PATIENCE, "it does not end");
            thread::sleep(Duration::from_millis(5));
        };
        let took = began.elapsed();
        while let Ok(line) = self.lines.recv_timeout(Duration::from_secs(5)) {
            self.log.push_str(&line);
            self.log.push('\n');
        }
        (status, took, std::mem::take(&mut self.log))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // The process may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends a signal to one process.
pub(crate) fn send(signal: &str, id: u32) {
    let status = Command::new("kill").arg(format!("-{signal}")).arg(id.to_string()).status();
    assert!(status.expect("kill can be run").success());
}
