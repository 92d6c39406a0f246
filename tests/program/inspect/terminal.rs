//! The binary in a terminal: tmux gives it one, shows what is on it, and types.

use std::path::Path;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::process::text;

/// Longer than anything here takes, even on a loaded machine.
const PATIENCE: Duration = Duration::from_mins(1);

/// A terminal of its own; its end is the end of what runs in it.
pub(crate) struct Terminal {
    /// Of tmux's server, which no other test and no person shares.
    socket: String,
}

impl Terminal {
    /// Runs the binary with variables, as in `A=1 B=2`, and arguments; says below how it ended.
    pub(crate) fn running(variables: &str, arguments: &[&str], columns: u16, lines: u16) -> Self {
        let script = format!("env -i TERM=\"$TERM\" {variables} {}", command(arguments));
        Self::start(&script, columns, lines)
    }

    /// The same, with the process's id in a file.
    pub(crate) fn with_id_in(file: &Path, arguments: &[&str], columns: u16, lines: u16) -> Self {
        let script =
            format!("sh -c 'echo $$ > \"$0\"; exec \"$@\"' '{}' {}", file.display(), command(arguments));
        Self::start(&script, columns, lines)
    }

    fn start(script: &str, columns: u16, lines: u16) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let socket = format!("marie-test-{}-{number}", std::process::id());
        // Behind it stands whether typed letters are still kept from the screen.
        let script =
            format!("{script}; echo \"ended with $?\"; stty -a | grep -c -e ' -echo '; exec sleep 600");
        let terminal = Terminal { socket };
        let (columns, lines) = (columns.to_string(), lines.to_string());
        let size = ["-x", &columns, "-y", &lines];
        let made = terminal
            .tmux(&[&["-f", "/dev/null", "new-session", "-d"], &size[..], &["sh", "-c", &script]].concat());
        assert!(made.status.success(), "tmux: {}", text(&made.stderr));
        terminal
    }

    fn tmux(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new("tmux");
        // Without UTF-8 it draws underscores.
        command.args(["-u", "-L", &self.socket]).args(arguments);
        command.env_remove("TMUX");
        command.output().expect("tmux can be run; Debian's package is tmux")
    }

    /// Types keys by tmux's names.
    pub(crate) fn press(&self, keys: &[&str]) {
        self.tmux(&[&["send-keys"], keys].concat());
    }

    /// What is on the screen.
    pub(crate) fn screen(&self) -> String {
        text(&self.tmux(&["capture-pane", "-p"]).stdout)
    }

    /// The same with the sequences that colour it.
    pub(crate) fn with_colours(&self) -> String {
        text(&self.tmux(&["capture-pane", "-p", "-e"]).stdout)
    }

    /// Waits until the screen is as wanted, and returns it.
    pub(crate) fn until(&self, what: &str, is_so: impl Fn(&str) -> bool) -> String {
        let began = Instant::now();
        loop {
            let screen = self.screen();
            if is_so(&screen) {
                return screen;
            }
            assert!(began.elapsed() < PATIENCE, "{what} has not come: {screen}");
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
