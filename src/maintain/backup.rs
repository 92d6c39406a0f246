//! `maintain backup`: writes the scheduler's schema to a file, by running `pg_dump` with the settings of the exporter's
//! connection.
//!
//! The file is for `pg_restore`. It holds every payload, so only its owner may read it. It appears under its name only when
//! it is complete.

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
use crate::postgres::{Failure, Reason, Session, connect, programs};
use crate::schema::Schema;
use crate::terminal::console::Console;
use crate::terminal::escape::escaped_lines;

/// How long `pg_dump` waits for a table that is locked against readers, because it is being changed or emptied.
const LOCK_TIMEOUT: &str = "--lock-wait-timeout=2000";

/// Ends the connection of `pg_dump` if the server is silent for about 30 seconds.
const KEEPALIVES: &str =
    "--dbname=keepalives_idle=10 keepalives_interval=5 keepalives_count=3 tcp_user_timeout=30000";

/// Interval of the checks, over a second connection, whether the database still answers.
const CHECK_INTERVAL: Duration = Duration::from_secs(5);

/// Time limit of each check. A database that is dumped may be slow.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// Writes the complete backup or no file. Cancelling `shutdown` ends it.
///
/// # Errors
/// The file exists or cannot be written, `pg_dump` is missing or fails, or the backup would take too many locks.
pub async fn backup(
    config: &Config,
    to: &Path,
    console: &Console,
    shutdown: CancellationToken,
) -> anyhow::Result<()> {
    if to.symlink_metadata().is_ok() {
        bail!(file_exists(to));
    }
    let database = &config.database;
    let target = database.clone();
    // Blocking, because the file with the URL may be a pipe or on a disk that hangs.
    let (who, environment) =
        tokio::task::spawn_blocking(move || anyhow::Ok((role(&target)?, target.libpq_environment()?)))
            .await??;
    tokio::select! {
        checked = check_locks(config) => checked?,
        () = shutdown.cancelled() => bail!("the backup was interrupted; nothing was written"),
    }
    console.say(&format!("Backing up the schema {} into {} ...", database.schema.quoted(), to.display()));
    let tables = tokio::select! {
        tables = dump(database, &environment, to) => tables?,
        failure = wait_for_silence(database) => return Err(failure).context("the backup was given up"),
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

/// Checks that the backup takes at most an eighth of the server's lock table.
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

/// Returns when the database no longer answers, because `pg_dump` would then wait without limit.
async fn wait_for_silence(database: &DatabaseConfig) -> Failure {
    // If the database cannot be reached at all, pg_dump reports the reason before this check.
    tokio::time::sleep(CHECK_INTERVAL).await;
    let (mut connection, _) = match connect(database).await {
        Ok(connected) => connected,
        Err(failure) => return failure,
    };
    connection.set_limit(ANSWER_TIMEOUT);
    loop {
        if let Err(failure) = connection.execute(sqlx::raw_sql("SELECT 1")).await {
            return failure;
        }
        tokio::time::sleep(CHECK_INTERVAL).await;
    }
}

/// Path of the incomplete file. The file is removed on drop.
struct Partial(PathBuf);

impl Drop for Partial {
    fn drop(&mut self) {
        // An error is expected if the file was renamed or could not be created.
        let _ = fs::remove_file(&self.0);
    }
}

/// Writes the complete file or none, and returns the number of tables whose rows it holds.
async fn dump(
    database: &DatabaseConfig,
    environment: &[(&'static str, String)],
    to: &Path,
) -> anyhow::Result<usize> {
    let mut partial = argument(to).into_os_string();
    partial.push(".partial");
    let partial = Partial(PathBuf::from(partial));
    // An earlier run may have left it. An attacker may have put a link there to redirect the payloads.
    let _ = fs::remove_file(&partial.0);
    let file = &partial.0;
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    options.open(file).with_context(|| format!("cannot make {}", file.display()))?;
    let mut dump = Command::new(programs::newest("pg_dump"));
    // The password is passed in the environment, because other users can read arguments.
    dump.envs(environment.iter().map(|(name, value)| (name, value)));
    dump.args(["--format=custom", "--no-password", LOCK_TIMEOUT, KEEPALIVES, "--schema"]);
    dump.arg(database.schema.quoted()).arg("--file").arg(file);
    run_to_end(&mut dump).await?;
    let list = run_to_end(Command::new(programs::newest("pg_restore")).arg("--list").arg(file)).await?;
    let tables =
        String::from_utf8_lossy(&list.stdout).lines().filter(|line| line.contains(" TABLE DATA ")).count();
    if tables == 0 {
        bail!(
            "pg_dump has written no table's rows; may the role read the schema {}?",
            database.schema.quoted()
        );
    }
    move_into_place(file, to)?;
    Ok(tables)
}

/// Returns the role of the database URL.
fn role(database: &DatabaseConfig) -> anyhow::Result<String> {
    let target = database.connect_options()?;
    let server = target.servers.first().context("the database URL names no server")?;
    Ok(server.options.get_username().to_owned())
}

/// Renames the file, unless another file has the name meanwhile.
fn move_into_place(file: &Path, to: &Path) -> anyhow::Result<()> {
    let is_linked = match fs::hard_link(file, to) {
        Ok(()) => true,
        Err(error) if error.kind() == ErrorKind::AlreadyExists => bail!(file_exists(to)),
        Err(_) => false,
    };
    if !is_linked {
        // Some file systems have no hard links. There an empty file reserves the name before the rename.
        match OpenOptions::new().write(true).create_new(true).mode(0o600).open(to) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => bail!(file_exists(to)),
            outcome => outcome.with_context(|| format!("cannot make {}", to.display()))?,
        };
        fs::rename(file, to).with_context(|| format!("cannot rename {}", file.display()))?;
    }
    Ok(())
}

fn file_exists(to: &Path) -> String {
    format!("{} exists already; name a file that does not", to.display())
}

/// Returns the path in a form that no program takes for an option.
fn argument(path: &Path) -> PathBuf {
    if path.as_os_str().as_bytes().starts_with(b"-") { Path::new(".").join(path) } else { path.to_owned() }
}

/// Runs a program to its end and returns its output. Dropping the future kills the program.
async fn run_to_end(command: &mut Command) -> anyhow::Result<Output> {
    let name = command.as_std().get_program().to_string_lossy().into_owned();
    // Its own process group, so that a Ctrl-C at the terminal reaches the exporter first.
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
