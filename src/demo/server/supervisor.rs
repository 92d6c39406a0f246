//! A shell process that supervises the server: it stops the server and removes its folder when this process ends.
//!
//! It works after `kill -9` too, because the kernel closes the pipe that the shell reads from. There is no other way
//! without `unsafe`. The script is `supervisor.sh`.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStderr, ChildStdin, Command, Stdio};
use std::thread::{self, JoinHandle};

use super::account::Account;

const SCRIPT: &str = include_str!("supervisor.sh");

pub(super) struct Supervisor {
    shell: Child,
    orders: Option<ChildStdin>,
    answers: Option<BufReader<ChildStderr>>,
    /// Ends when the server's last process closes its output.
    server: Option<JoinHandle<()>>,
    postmaster_pid: Option<u32>,
}

impl Supervisor {
    /// Starts the server, after creating its data if the folder is empty. Returns before the server accepts connections.
    pub(super) fn start(
        binaries: &Path,
        folder: &Path,
        port: u16,
        account: Option<Account>,
    ) -> io::Result<Self> {
        let mut command = Command::new("sh");
        command
            .args(["-c", SCRIPT, "marie-demo-postgres"])
            .args([binaries, folder])
            .arg(port.to_string())
            // The current directory may be closed to the server's account.
            .current_dir(folder)
            .env("LC_ALL", "C")
            // Ctrl-C signals the terminal's foreground group. The server must run until this process has finished.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        for (name, _) in std::env::vars_os().filter(|(name, _)| is_client_setting(name)) {
            command.env_remove(name);
        }
        if let Some(account) = account {
            account.run(&mut command);
        }
        let mut shell = command.spawn()?;
        let orders = shell.stdin.take();
        let output = shell.stdout.take();
        let answers = shell.stderr.take().map(BufReader::new);
        let mut supervisor = Self { shell, orders, answers, server: None, postmaster_pid: None };
        if let Some(mut output) = output.map(BufReader::new) {
            let mut line = String::new();
            output.read_line(&mut line)?;
            supervisor.postmaster_pid = line.trim().parse().ok();
            supervisor.server = Some(thread::spawn(move || {
                let _ = output.read_to_end(&mut Vec::new());
            }));
        }
        Ok(supervisor)
    }

    /// Returns the process id of the postmaster, or `None` if the data could not be created.
    pub(super) fn postmaster_pid(&self) -> Option<u32> {
        self.postmaster_pid
    }

    /// Whether all processes of the server have ended.
    pub(super) fn server_has_ended(&self) -> bool {
        self.server.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Stops the server, keeps its folder, and returns when the process has ended.
    pub(super) fn stop(&mut self) -> io::Result<()> {
        self.order("stop")?;
        if let Some(answers) = &mut self.answers {
            answers.read_line(&mut String::new())?;
        }
        Ok(())
    }

    /// Ends the supervision of a stopped server and keeps the folder, because another supervisor uses it now.
    pub(super) fn leave(mut self) -> io::Result<()> {
        self.order("leave")
    }

    fn order(&mut self, order: &str) -> io::Result<()> {
        match &mut self.orders {
            Some(orders) => writeln!(orders, "{order}"),
            None => Ok(()),
        }
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        self.orders = None;
        // An error means that the shell has ended already.
        let _ = self.shell.wait();
    }
}

/// Whether a variable, such as PGDATA or PGHOST, is for the user's own servers.
fn is_client_setting(name: &std::ffi::OsStr) -> bool {
    name.as_encoded_bytes().starts_with(b"PG")
}
