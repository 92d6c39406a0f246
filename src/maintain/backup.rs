//! `maintain backup`: the scheduler's schema, written into a file by `pg_dump`, which is run with the exporter's own
//! connection. The file is for `pg_restore`; it holds every payload, so only its owner may read it.

use std::fs::{self, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::process::Command;
use tokio_util::sync::CancellationToken;
use tracing::info;

use crate::config::{Config, DatabaseConfig};
use crate::postgres::{Failure, Reason, Session, connect};
use crate::schema::Schema;
use crate::terminal::console::Console;
use crate::terminal::escape::escaped_lines;

/// Where distributions keep PostgreSQL's programs, below a folder for each version.
const FOLDERS: [&str; 2] = ["/usr/lib/postgresql", "/usr/pgsql-"];

/// A table that is locked against readers is being changed or emptied; a backup waits no longer for it.
const LOCK_TIMEOUT: &str = "--lock-wait-timeout=2000";

/// A server that is silent is asked after ten seconds, and given up after thirty.
const KEEPALIVES: &str =
    "--dbname=keepalives_idle=10 keepalives_interval=5 keepalives_count=3 tcp_user_timeout=30000";

/// How often a second connection is asked whether the database still answers.
const BEAT: Duration = Duration::from_secs(5);

/// How long the database has to answer. One that is dumped may be slow.
const ANSWER: Duration = Duration::from_secs(10);

/// Writes the backup, whole or not at all. It ends when `shutdown` is cancelled.
///
/// # Errors
/// When the file is there already or cannot be written, when `pg_dump` is missing or fails, and when it would take too
/// many locks.
pub async fn backup(
    config: &Config,
    to: &Path,
    console: &Console,
    shutdown: CancellationToken,
) -> anyhow::Result<()> {
    if to.symlink_metadata().is_ok() {
        bail!(already_there(to));
    }
    let database = &config.database;
    let target = database.clone();
    // The URL's file may be a pipe or lie on a disk that hangs.
    let (who, environment) =
        tokio::task::spawn_blocking(move || anyhow::Ok((user(&target)?, target.libpq_environment()?)))
            .await??;
    tokio::select! {
        checked = check_locks(config) => checked?,
        () = shutdown.cancelled() => bail!("the backup was interrupted; nothing was written"),
    }
    console.say(&format!("Backing up the schema {} into {} ...", database.schema.quoted(), to.display()));
    let tables = tokio::select! {
        tables = dump(database, &environment, to) => tables?,
        failure = silence(database) => return Err(failure).context("the backup was given up"),
        () = shutdown.cancelled() => bail!("the backup was interrupted; nothing was written"),
    };
    let bytes = fs::metadata(to).with_context(|| format!("cannot look at {}", to.display()))?.len();
    info!(who, command = "backup", file = %to.display(), bytes, tables, "written");
    console.say(&format!(
        "{bytes} bytes with the rows of {tables} tables, by {who}. To see what is in it: pg_restore --list {}",
        to.display()
    ));
    Ok(())
}

/// Refuses a backup that would take more than an eighth of the server's lock table.
async fn check_locks(config: &Config) -> Result<(), Failure> {
    let mut session = Session::new(config.database.clone(), config.collectors.timeout);
    let mut run = session.begin().await?;
    let lack = Schema::lacks_locks_to_dump(&mut run, &config.database.schema).await;
    session.finish(run, lack.as_ref().err()).await;
    session.close().await;
    match lack? {
        Some(lack) => Err(Failure::new(Reason::LockLimit, format!("the backup {lack}; nothing was written"))),
        None => Ok(()),
    }
}

/// Returns when the database does not answer any more: `pg_dump` would wait for it.
async fn silence(database: &DatabaseConfig) -> Failure {
    // Where the database cannot be reached at all, pg_dump says why.
    tokio::time::sleep(BEAT).await;
    let (mut connection, _) = match connect(database).await {
        Ok(connected) => connected,
        Err(failure) => return failure,
    };
    connection.set_limit(ANSWER);
    loop {
        if let Err(failure) = connection.execute(sqlx::raw_sql("SELECT 1")).await {
            return failure;
        }
        tokio::time::sleep(BEAT).await;
    }
}

/// The file while it is not whole, removed unless it becomes the backup.
struct Partial(PathBuf);

impl Drop for Partial {
    fn drop(&mut self) {
        // It is not there where it could not be made.
        let _ = fs::remove_file(&self.0);
    }
}

/// Writes the file, whole or not at all, and counts the tables whose rows it holds.
async fn dump(
    database: &DatabaseConfig,
    environment: &[(&'static str, String)],
    to: &Path,
) -> anyhow::Result<usize> {
    let mut partial = argument(to).into_os_string();
    partial.push(".partial");
    let partial = Partial(PathBuf::from(partial));
    // Left by an earlier run, or put there for our payloads to land where others can read them.
    let _ = fs::remove_file(&partial.0);
    let file = &partial.0;
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    options.open(file).with_context(|| format!("cannot make {}", file.display()))?;
    let mut dump = Command::new(program("pg_dump"));
    // In the environment, where no other user sees the password.
    dump.envs(environment.iter().map(|(name, value)| (name, value)));
    dump.args(["--format=custom", "--no-password", LOCK_TIMEOUT, KEEPALIVES, "--schema"]);
    dump.arg(database.schema.quoted()).arg("--file").arg(file);
    finished(&mut dump).await?;
    let list = finished(Command::new(program("pg_restore")).arg("--list").arg(file)).await?;
    let tables =
        String::from_utf8_lossy(&list.stdout).lines().filter(|line| line.contains(" TABLE DATA ")).count();
    if tables == 0 {
        bail!(
            "pg_dump has written no table's rows; may the role read the schema {}?",
            database.schema.quoted()
        );
    }
    name(file, to)?;
    Ok(tables)
}

/// The role that the URL names.
fn user(database: &DatabaseConfig) -> anyhow::Result<String> {
    let target = database.connect_options()?;
    let server = target.servers.first().context("the database URL names no server")?;
    Ok(server.options.get_username().to_owned())
}

/// Gives the file its name, unless another file has it by now.
fn name(file: &Path, to: &Path) -> anyhow::Result<()> {
    let is_linked = match fs::hard_link(file, to) {
        Ok(()) => true,
        Err(error) if error.kind() == ErrorKind::AlreadyExists => bail!(already_there(to)),
        Err(_) => false,
    };
    if !is_linked {
        // Not every file system has links. The name is taken before the file is moved onto it.
        match OpenOptions::new().write(true).create_new(true).mode(0o600).open(to) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => bail!(already_there(to)),
            outcome => outcome.with_context(|| format!("cannot make {}", to.display()))?,
        };
        fs::rename(file, to).with_context(|| format!("cannot rename {}", file.display()))?;
    }
    Ok(())
}

fn already_there(to: &Path) -> String {
    format!("{} exists already; name a file that does not", to.display())
}

/// A path that no program takes for an option.
fn argument(path: &Path) -> PathBuf {
    if path.as_os_str().as_bytes().starts_with(b"-") { Path::new(".").join(path) } else { path.to_owned() }
}

/// Runs a program to its end. It is killed where that is not waited for.
async fn finished(command: &mut Command) -> anyhow::Result<Output> {
    let name = command.as_std().get_program().to_string_lossy().into_owned();
    // In a group of its own, a Ctrl-C at the terminal does not reach it before us.
    command.stdin(Stdio::null()).kill_on_drop(true).process_group(0);
    let output = command
        .output()
        .await
        .with_context(|| format!("cannot run {name}; is PostgreSQL's client installed?"))?;
    if !output.status.success() {
        let errors = escaped_lines(String::from_utf8_lossy(&output.stderr).trim());
        let advice = if errors.contains("LOCK TABLE") {
            "\nanother session holds a lock on the table, such as a migration; try again later"
        } else {
            ""
        };
        bail!("{name}: {errors}{advice}");
    }
    Ok(output)
}

/// The newest that is installed, for it can dump every older server; else whatever the path has.
fn program(name: &str) -> PathBuf {
    let versions = FOLDERS.iter().flat_map(|folder| {
        let (parent, prefix) = match folder.rsplit_once('/') {
            Some((parent, prefix)) if prefix.ends_with('-') => (parent, prefix),
            _ => (*folder, ""),
        };
        let entries = fs::read_dir(parent).into_iter().flatten().flatten();
        entries.filter_map(move |entry| {
            let version: u32 = entry.file_name().to_str()?.strip_prefix(prefix)?.parse().ok()?;
            let program = entry.path().join("bin").join(name);
            program.exists().then_some((version, program))
        })
    });
    versions.max().map_or_else(|| PathBuf::from(name), |(_, program)| program)
}
