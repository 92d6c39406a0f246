//! A PostgreSQL server of our own, from the binaries installed on this machine: on a free loopback
//! port, in a temporary folder, gone when it is dropped and also when we are interrupted or killed.
//! The demo and every test that needs a database start here.

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

/// A slow machine under load takes some seconds; more than this means that something is wrong.
const START_PATIENCE: Duration = Duration::from_mins(1);
const PORT_ATTEMPTS: usize = 5;

/// Nothing here has to outlive the machine, so nothing waits for the disk. It does outlive
/// [`Server::stop`], which is why `synchronous_commit` stays on; without fsync it costs next to
/// nothing. JIT and autovacuum stay on, as in the field.
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

/// A running server. Dropping it stops it at once and removes its folder.
pub struct Server {
    // Dropped before the folder, for the server writes there until its last moment.
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

    /// Starts a server with these settings of postgresql.conf on top of the default ones.
    pub fn start_with(settings: &[(&str, &str)]) -> Result<Self, ServerError> {
        Self::start_guarded_by(None, settings)
    }

    /// Starts a server that asks for a password, also on its socket: other users of this machine can reach its port, and
    /// a superuser of PostgreSQL runs programs as the server's account.
    pub fn start_guarded() -> Result<Self, ServerError> {
        let password: u128 = rand::random();
        Self::start_guarded_by(Some(format!("{password:032x}")), &[])
    }

    fn start_guarded_by(password: Option<String>, settings: &[(&str, &str)]) -> Result<Self, ServerError> {
        let binaries =
            Binaries::find().ok_or_else(|| ServerError::NotInstalled { searched: Binaries::searched() })?;
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
                // Somebody else took the port between our look and the server's.
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

    /// The process id of the server's first process; after a stop, of the one that was.
    pub fn postmaster_pid(&self) -> u32 {
        self.postmaster_pid
    }

    /// The server's version as in `15.18`.
    pub fn version(&self) -> &str {
        &self.binaries.version
    }

    /// The temporary folder that holds all of it: data, log, socket.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A program that comes with the server (`pg_basebackup`), to be run as whoever owns the server's folder.
    pub fn program(&self, name: &str) -> Command {
        // In a folder of PATH there may be links to some of them only.
        let postgres = self.binaries.folder.join("postgres");
        let postgres = fs::canonicalize(&postgres).unwrap_or(postgres);
        let mut command = Command::new(postgres.with_file_name(name));
        command.current_dir(self.folder());
        if let Some(account) = self.account {
            account.run(&mut command);
        }
        command
    }

    /// Stops the server as if its machine had lost power: sessions break off, the data stay.
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

    /// Makes an empty database and returns its URL.
    pub async fn create_database(&self, name: &str) -> Result<String, sqlx::Error> {
        let mut connection = PgConnection::connect(&self.url("postgres")).await?;
        let create = format!("create database {}", crate::config::quote_identifier(name));
        sqlx::raw_sql(AssertSqlSafe(create)).execute(&mut connection).await?;
        connection.close().await?;
        Ok(self.url(name))
    }
}

/// A folder for the server and, where we are root, the account that it belongs to.
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
    // Where a name comes twice, PostgreSQL takes the later line.
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
        action: "run `sh`, which minds the PostgreSQL server".to_owned(),
        reason,
    })
}

/// Waits until the server takes connections and returns its first process's id.
fn wait_until_ready(
    supervisor: &Supervisor,
    binaries: &Binaries,
    folder: &Path,
    port: u16,
) -> Result<u32, ServerError> {
    let deadline = Instant::now() + START_PATIENCE;
    while !supervisor.server_has_ended() && Instant::now() < deadline {
        if let Some(pid) = supervisor.postmaster_pid().filter(|&pid| says_ready(folder, pid)) {
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

/// The first line of postmaster.pid is the process id, the eighth its state; `pg_ctl` waits for the
/// same word. The id tells this start's file from one that a crash left behind.
fn says_ready(folder: &Path, pid: u32) -> bool {
    let text = fs::read_to_string(folder.join("data/postmaster.pid")).unwrap_or_default();
    let mut lines = text.lines().map(str::trim);
    lines.next() == Some(pid.to_string().as_str()) && lines.nth(6) == Some("ready")
}

fn end_of_log(folder: &Path) -> String {
    const LINES: usize = 15;
    let text = match fs::read(folder.join("log")) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(error) => return format!("  (it has no log: {error})"),
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
