//! The process between us and PostgreSQL: a few lines of shell that stop the server and remove its
//! folder as soon as we are gone, however we went. Without `unsafe` there is no other way to have
//! that after a `kill -9`: the kernel closes our end of the pipe that the shell reads from.

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
    /// Ends when the server's output does: with its last process.
    server: Option<JoinHandle<()>>,
    postmaster_pid: Option<u32>,
}

impl Supervisor {
    /// Sets the server up where its folder is still empty, and starts it. Returns as soon as it
    /// runs, before it takes connections.
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
            // Our own working directory may be closed to the account that the server runs as.
            .current_dir(folder)
            .env("LC_ALL", "C")
            // ctrl-C goes to the terminal's foreground group; the server must outlive our goodbye.
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

    /// The id of the server's first process; none when the server could not even be set up.
    pub(super) fn postmaster_pid(&self) -> Option<u32> {
        self.postmaster_pid
    }

    /// Whether the server has ended, with all of its processes.
    pub(super) fn server_has_ended(&self) -> bool {
        self.server.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Stops the server and keeps its folder. Returns when its process is gone.
    pub(super) fn stop(&mut self) -> io::Result<()> {
        self.order("stop")?;
        if let Some(answers) = &mut self.answers {
            answers.read_line(&mut String::new())?;
        }
        Ok(())
    }

    /// Ends the supervision of a stopped server, for another supervisor minds the folder now.
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
        // A shell that cannot be waited for has ended already: nothing is left to do.
        let _ = self.shell.wait();
    }
}

/// PGDATA, PGHOST, PGOPTIONS and the like belong to the user's own servers, not to ours.
fn is_client_setting(name: &std::ffi::OsStr) -> bool {
    name.as_encoded_bytes().starts_with(b"PG")
}
