//! A throwaway PostgreSQL server, run from the installed binaries on a free loopback port, in a temporary folder. It ends
//! when it is dropped, and also when this process is interrupted or killed.
//!
//! `binaries` finds the programs, `account` chooses the user, `supervisor` runs and ends the server, `urls` gives its
//! URLs. The demo and each test with a database use it.

mod account;
mod binaries;
mod error;
mod supervisor;
mod urls;

use std::fs;
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tempfile::TempDir;

pub use error::ServerError;

use account::Account;
use binaries::Binaries;
use error::failed_to;
use supervisor::Supervisor;

use crate::postgres::programs;

/// The longest time for a start. A slow machine under load takes some seconds.
const START_PATIENCE: Duration = Duration::from_mins(1);
const PORT_ATTEMPTS: usize = 5;

/// The default settings. The data need not survive a crash of the machine, so `fsync` is off. They have to survive
/// [`Server::stop`], so `synchronous_commit` stays on. JIT and autovacuum are on, as in production.
const SETTINGS: [(&str, &str); 9] = [
    ("listen_addresses", "127.0.0.1"),
    ("max_connections", "200"),
    ("shared_buffers", "64MB"),
    ("fsync", "off"),
    ("full_page_writes", "off"),
    ("autovacuum", "on"),
    ("jit", "on"),
    ("timezone", "UTC"),
    ("log_timezone", "UTC"),
];

/// A running server. Dropping it stops the server and removes its folder.
pub struct Server {
    // Dropped before the folder, because the server writes there until it ends.
    supervisor: Supervisor,
    binaries: Binaries,
    account: Option<Account>,
    port: u16,
    postmaster_pid: u32,
    password: Option<String>,
    folder: TempDir,
}

impl Server {
    /// Starts a server with the default settings. Blocks for a second or two.
    pub fn start() -> Result<Self, ServerError> {
        Self::start_with(&[])
    }

    /// Starts a server with settings of postgresql.conf that override the default ones.
    pub fn start_with(settings: &[(&str, &str)]) -> Result<Self, ServerError> {
        Self::start_guarded_by(None, settings)
    }

    /// Starts a server that requires a password, also on its socket. Other users of this machine can reach its port, and a
    /// superuser of PostgreSQL can run programs as the server's account.
    pub fn start_guarded() -> Result<Self, ServerError> {
        let password: u128 = rand::random();
        Self::start_guarded_by(Some(format!("{password:032x}")), &[])
    }

    fn start_guarded_by(password: Option<String>, settings: &[(&str, &str)]) -> Result<Self, ServerError> {
        let binaries =
            Binaries::find().ok_or_else(|| ServerError::NotInstalled { searched: programs::searched() })?;
        let (folder, account) = make_folder()?;
        let file = folder.path().join("settings.conf");
        fs::write(&file, configuration(settings)).map_err(failed_to("write", &file))?;

        if let Some(password) = &password {
            let file = folder.path().join("password");
            fs::write(&file, password).map_err(failed_to("write", &file))?;
        }

        let mut attempts = 1..=PORT_ATTEMPTS;
        loop {
            let last = attempts.next() == Some(PORT_ATTEMPTS);
            let port = free_port().map_err(|reason| ServerError::Io {
                action: "find a free port on 127.0.0.1".to_owned(),
                reason,
            })?;
            let supervisor = supervise(&binaries, folder.path(), port, account)?;
            match wait_until_ready(&supervisor, &binaries, folder.path(), port) {
                Ok(postmaster_pid) => {
                    return Ok(Self {
                        supervisor,
                        binaries,
                        account,
                        port,
                        postmaster_pid,
                        password,
                        folder,
                    });
                }
                // Another process took the port after `free_port` had released it.
                Err(ServerError::NotStarted { log, .. })
                    if !last && log.contains("Address already in use") =>
                {
                    let mut supervisor = supervisor;
                    supervisor.stop().and_then(|()| supervisor.leave()).map_err(|reason| {
                        ServerError::Io { action: "try another port".to_owned(), reason }
                    })?;
                }
                Err(error) => return Err(error),
            }
        }
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Returns the process id of the postmaster; after a stop, of the previous one.
    pub fn postmaster_pid(&self) -> u32 {
        self.postmaster_pid
    }

    /// Returns the server's version, such as `15.18`.
    pub fn version(&self) -> &str {
        &self.binaries.version
    }

    /// Returns the temporary folder with data, log and socket.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Returns a command for a program of the server, such as `pg_basebackup`. It runs as the owner of the folder.
    pub fn program(&self, name: &str) -> Command {
        // A folder of PATH may have links to some of the programs only.
        let postgres = self.binaries.folder.join("postgres");
        let postgres = fs::canonicalize(&postgres).unwrap_or(postgres);
        let mut command = Command::new(postgres.with_file_name(name));
        command.current_dir(self.folder());
        if let Some(account) = self.account {
            account.run(&mut command);
        }
        command
    }

    /// Stops the server immediately. Sessions are aborted, and the data stay.
    pub fn stop(&mut self) -> Result<(), ServerError> {
        self.supervisor
            .stop()
            .map_err(|reason| ServerError::Io { action: "stop the PostgreSQL server".to_owned(), reason })
    }

    /// Starts a stopped server on the same port with the same data.
    pub fn start_again(&mut self) -> Result<(), ServerError> {
        let folder = self.folder.path();
        let supervisor = supervise(&self.binaries, folder, self.port, self.account)?;
        let stopped = std::mem::replace(&mut self.supervisor, supervisor);
        stopped.leave().map_err(|reason| ServerError::Io {
            action: "take over the stopped PostgreSQL server".to_owned(),
            reason,
        })?;
        self.postmaster_pid = wait_until_ready(&self.supervisor, &self.binaries, folder, self.port)?;
        Ok(())
    }

    /// Creates an empty database and returns its URL.
    pub async fn create_database(&self, name: &str) -> Result<String, sqlx::Error> {
        let mut connection = PgConnection::connect(&self.url("postgres")).await?;
        let create = format!("create database {}", crate::config::quote_identifier(name));
        sqlx::raw_sql(AssertSqlSafe(create)).execute(&mut connection).await?;
        connection.close().await?;
        Ok(self.url(name))
    }
}

/// Creates the server's folder. If this process is root, the folder is given to an unprivileged account.
fn make_folder() -> Result<(TempDir, Option<Account>), ServerError> {
    let make_in = |parent: &Path| {
        tempfile::Builder::new()
            .prefix("marie-demo-")
            .permissions(fs::Permissions::from_mode(0o700))
            .tempdir_in(parent)
            .map_err(failed_to("make a folder in", parent))
    };
    let folder = make_in(&std::env::temp_dir())?;
    if !account::is_root(&folder).map_err(failed_to("look at", folder.path()))? {
        return Ok((folder, None));
    }
    let account = Account::unprivileged().ok_or(ServerError::NoAccount)?;
    let parent = account::shared_temporary_folders().next().ok_or(ServerError::NoFolder)?;
    let folder = make_in(&parent)?;
    account.own(folder.path()).map_err(failed_to("give away", folder.path()))?;
    Ok((folder, Some(account)))
}

fn configuration(settings: &[(&str, &str)]) -> String {
    // PostgreSQL uses the last line of a setting.
    let line = |(name, value): &(&str, &str)| format!("{name} = '{}'\n", value.replace('\'', "''"));
    SETTINGS.iter().chain(settings).map(line).collect::<Vec<_>>().concat()
}

fn supervise(
    binaries: &Binaries,
    folder: &Path,
    port: u16,
    account: Option<Account>,
) -> Result<Supervisor, ServerError> {
    Supervisor::start(&binaries.folder, folder, port, account).map_err(|reason| ServerError::Io {
        action: "run `sh`, which supervises the PostgreSQL server".to_owned(),
        reason,
    })
}

/// Waits until the server accepts connections, and returns the process id of the postmaster.
fn wait_until_ready(
    supervisor: &Supervisor,
    binaries: &Binaries,
    folder: &Path,
    port: u16,
) -> Result<u32, ServerError> {
    let deadline = Instant::now() + START_PATIENCE;
    while !supervisor.server_has_ended() && Instant::now() < deadline {
        if let Some(pid) = supervisor.postmaster_pid().filter(|&pid| is_ready(folder, pid)) {
            return Ok(pid);
        }
        thread::sleep(Duration::from_millis(20));
    }
    Err(ServerError::NotStarted {
        version: binaries.version.clone(),
        binaries: binaries.folder.clone(),
        port,
        folder: folder.to_owned(),
        log: end_of_log(folder),
    })
}

/// Whether postmaster.pid says that the server is ready, as `pg_ctl` decides it. Line 1 is the process id, line 8 the
/// state. The id excludes a file that a crash left behind.
fn is_ready(folder: &Path, pid: u32) -> bool {
    let text = fs::read_to_string(folder.join("data/postmaster.pid")).unwrap_or_default();
    let mut lines = text.lines().map(str::trim);
    lines.next() == Some(pid.to_string().as_str()) && lines.nth(6) == Some("ready")
}

fn end_of_log(folder: &Path) -> String {
    const LINES: usize = 15;
    let text = match fs::read(folder.join("log")) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(error) => return format!("  (its log cannot be read: {error})"),
    };
    let lines: Vec<&str> = text.lines().collect();
    let end = &lines[lines.len().saturating_sub(LINES)..];
    end.iter().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n")
}

fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    #[test]
    fn owner_gone_before_server_takes_signals_leaves_nothing() {
        let binaries = Binaries::find().unwrap();
        let (folder, account) = make_folder().unwrap();
        fs::write(folder.path().join("settings.conf"), configuration(&[])).unwrap();
        let supervisor = supervise(&binaries, folder.path(), free_port().unwrap(), account).unwrap();
        assert!(supervisor.postmaster_pid().is_some(), "{}", end_of_log(folder.path()));

        let (done, ended) = std::sync::mpsc::channel();
        thread::spawn(move || {
            drop(supervisor);
            done.send(())
        });
        ended.recv_timeout(START_PATIENCE).expect("the server is stopped");
        assert!(!folder.path().exists());
    }
}
