//! Runs the binary in a terminal of tmux, which also returns the screen and types keys.

use std::path::Path;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::process::text;

/// Longest wait for a condition, on a loaded machine too.
const PATIENCE: Duration = Duration::from_mins(1);

/// A separate terminal. When it is dropped, the program in it ends.
pub(crate) struct Terminal {
    /// Name of the socket of a tmux server that nothing else uses.
    socket: String,
}

impl Terminal {
    /// Runs the binary with variables, such as `A=1 B=2`, and arguments. At the end, prints its exit code.
    pub(crate) fn running(variables: &str, arguments: &[&str], columns: u16, lines: u16) -> Self {
        let script = format!("env -i TERM=\"$TERM\" {variables} {}", command(arguments));
        Self::start(&script, columns, lines)
    }

    /// Runs the binary, and writes the id of its process to a file.
    pub(crate) fn with_id_in(file: &Path, arguments: &[&str], columns: u16, lines: u16) -> Self {
        let script =
            format!("sh -c 'echo $$ > \"$0\"; exec \"$@\"' '{}' {}", file.display(), command(arguments));
        Self::start(&script, columns, lines)
    }

    fn start(script: &str, columns: u16, lines: u16) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let socket = format!("marie-test-{}-{number}", std::process::id());
        // The last line is 0 if the terminal shows typed letters again.
        let script =
            format!("{script}; echo \"ended with $?\"; stty -a | grep -c -e ' -echo '; exec sleep 600");
        let terminal = Terminal { socket };
        let (columns, lines) = (columns.to_string(), lines.to_string());
        let size = ["-x", &columns, "-y", &lines];
        let created = terminal
            .tmux(&[&["-f", "/dev/null", "new-session", "-d"], &size[..], &["sh", "-c", &script]].concat());
        assert!(created.status.success(), "tmux: {}", text(&created.stderr));
        terminal
    }

    fn tmux(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new("tmux");
        // Without -u, tmux draws underscores for characters beyond ASCII.
        command.args(["-u", "-L", &self.socket]).args(arguments);
        command.env_remove("TMUX");
        command.output().expect("tmux can be run; Debian's package is tmux")
    }

    /// Types keys by tmux's names.
    pub(crate) fn press(&self, keys: &[&str]) {
        self.tmux(&[&["send-keys"], keys].concat());
    }

    /// Returns the text on the screen.
    pub(crate) fn screen(&self) -> String {
        text(&self.tmux(&["capture-pane", "-p"]).stdout)
    }

    /// Returns the text on the screen with its colour sequences.
    pub(crate) fn with_colours(&self) -> String {
        text(&self.tmux(&["capture-pane", "-p", "-e"]).stdout)
    }

    /// Waits until the screen meets the condition, and returns it.
    pub(crate) fn until(&self, what: &str, is_so: impl Fn(&str) -> bool) -> String {
        let began = Instant::now();
        loop {
            let screen = self.screen();
            if is_so(&screen) {
                return screen;
            }
            assert!(began.elapsed() < PATIENCE, "waited in vain for {what}: {screen}");
            thread::sleep(Duration::from_millis(50));
        }
    }
}

fn command(arguments: &[&str]) -> String {
    let quote = |argument: &&str| format!("'{}'", argument.replace('\'', "'\\''"));
    let arguments = arguments.iter().map(quote).collect::<Vec<_>>().join(" ");
    format!("'{}' {arguments}", env!("CARGO_BIN_EXE_marie-exporter"))
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.tmux(&["kill-server"]);
    }
}
