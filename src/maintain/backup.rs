//! `maintain backup`: the scheduler's schema, written into a file by `pg_dump`, which is run with the exporter's own
//! connection. The file is for `pg_restore`; it holds every payload, so only its owner may read it.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::{Context, bail};
use tracing::info;

use super::console::Console;
use crate::config::{Config, DatabaseConfig};

/// Where distributions keep PostgreSQL's programs, below a folder for each version.
const FOLDERS: [&str; 2] = ["/usr/lib/postgresql", "/usr/pgsql-"];

/// Writes the backup, whole or not at all.
///
/// # Errors
/// When the file is there already or cannot be written, and when `pg_dump` is missing or fails.
pub async fn backup(config: &Config, to: &Path, console: &Console) -> anyhow::Result<()> {
    if to.exists() {
        bail!("{} exists already; name a file that does not", to.display());
    }
    let database = config.database.clone();
    let who = user(&database)?;
    let file = to.to_owned();
    console.say(&format!("Backing up the schema {} into {} ...", database.schema.quoted(), to.display()));
    let tables = tokio::task::spawn_blocking(move || dump(&database, &file)).await??;
    let bytes = fs::metadata(to).with_context(|| format!("cannot look at {}", to.display()))?.len();
    info!(who, command = "backup", file = %to.display(), bytes, tables, "written");
    console.say(&format!(
        "{bytes} bytes with the rows of {tables} tables, by {who}. To see what is in it: pg_restore --list {}",
        to.display()
    ));
    Ok(())
}

/// Writes the file, whole or not at all, and counts the tables whose rows it holds.
fn dump(database: &DatabaseConfig, to: &Path) -> anyhow::Result<usize> {
    let mut partial = to.as_os_str().to_owned();
    partial.push(".partial");
    let partial = PathBuf::from(partial);
    let outcome = dump_into(database, &partial).and_then(|tables| {
        fs::rename(&partial, to).with_context(|| format!("cannot rename {}", partial.display()))?;
        Ok(tables)
    });
    if outcome.is_err() {
        // What went wrong is the news, not that there is nothing to take away.
        let _ = fs::remove_file(&partial);
    }
    outcome
}

fn dump_into(database: &DatabaseConfig, file: &Path) -> anyhow::Result<usize> {
    // Left by an earlier run, or put there for our payloads to land where somebody else can read them.
    let _ = fs::remove_file(file);
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    options.open(file).with_context(|| format!("cannot make {}", file.display()))?;
    let mut dump = Command::new(program("pg_dump"));
    // In the environment, where no other user sees the password.
    dump.envs(database.libpq_environment()?);
    dump.args(["--format=custom", "--no-password", "--schema"]).arg(database.schema.quoted());
    dump.arg("--file").arg(file);
    finished(&mut dump)?;
    let list = finished(Command::new(program("pg_restore")).arg("--list").arg(file))?;
    let tables =
        String::from_utf8_lossy(&list.stdout).lines().filter(|line| line.contains(" TABLE DATA ")).count();
    if tables == 0 {
        bail!(
            "pg_dump has written no table's rows; may the role read the schema {}?",
            database.schema.quoted()
        );
    }
    Ok(tables)
}

/// The role that the URL names.
fn user(database: &DatabaseConfig) -> anyhow::Result<String> {
    let target = database.connect_options()?;
    let server = target.servers.first().context("the database URL names no server")?;
    Ok(server.options.get_username().to_owned())
}

fn finished(command: &mut Command) -> anyhow::Result<Output> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output =
        command.output().with_context(|| format!("cannot run {name}; is PostgreSQL's client installed?"))?;
    if !output.status.success() {
        bail!("{name}: {}", String::from_utf8_lossy(&output.stderr).trim());
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
