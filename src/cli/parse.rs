//! Merges arguments, environment and file into a [`Command`].
//!
//! clap parses the arguments twice. The first pass finds the command and the file. The values of the environment and the
//! file then become clap's default values for the second pass. So flags take precedence over them by clap's own rule.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::parser::ValueSource;
use clap::{ArgMatches, FromArgMatches};
use clap_complete::Shell;

use super::args::{Action, CommandLine, command_line, disabled, leaf, on_leaves};
#[cfg(feature = "demo")]
use crate::config::DemoConfig;
use crate::config::connection::Connect;
use crate::config::error::{ConfigError, Origin};
use crate::config::sources::{self, Given, Level};
use crate::config::{Config, DatabaseUrl, Format, MetricsFormat, Settings, WebConfig, file};
use crate::inspect::options::Times;
use crate::inspect::{InspectCommand, WithSettings};
use crate::maintain::args::{
    ChangeAction, JobOutcome, MaintainAction, Maintenance, PurgeAction, QueueAction,
};

/// A command with its settings and arguments.
#[derive(Debug)]
pub enum Command {
    Serve(Config),
    Check(Config, Format),
    Healthy(WebConfig),
    /// The text is the name of the role.
    Grants(Config, String),
    Inspect(Config, InspectCommand),
    Top(Config, Times),
    Maintain(Config, Maintenance),
    /// The path is that of the dump.
    Backup(Config, PathBuf),
    Metrics(MetricsFormat),
    Rules,
    Dashboards(PathBuf),
    Completions(Shell),
    Man(PathBuf),
    #[cfg(feature = "demo")]
    Demo(Config, DemoConfig),
}

/// The merged values of all sources, before clap parses them.
#[derive(Default)]
struct Sources {
    given: Level,
    stuck_after_by_queue: BTreeMap<String, Duration>,
}

/// Returns the command of a process with these arguments. `environment` reads a variable, `read` a file.
pub(super) fn parse(
    arguments: &[OsString],
    environment: &dyn Fn(&str) -> Option<OsString>,
    read: &dyn Fn(&Path) -> io::Result<String>,
    collectors: &[(&'static str, &'static str)],
) -> Result<Command, ConfigError> {
    let usage = |error| ConfigError::from_clap(error, arguments);
    let line = command_line(collectors);
    // The first pass has no defaults from other sources, so that --help cannot show a secret as a default.
    let flags = line.clone().try_get_matches_from(arguments).map_err(usage)?;
    let sources = gather(named(&line, &flags), leaf(&flags), environment, read)?;
    let line = on_leaves(line, &|leaf| with_defaults(leaf, &sources.given));
    let matches = line.try_get_matches_from(arguments).map_err(usage)?;
    let action = CommandLine::from_arg_matches(&matches).map_err(usage)?.action;

    let config = |settings: Settings, url| {
        let mut config = settings.config;
        config.database.url = url;
        config.stuck_after_by_queue = sources.stuck_after_by_queue.clone();
        config.collectors.disabled = disabled(&matches, collectors);
        config
    };
    let connected = |settings: Settings| {
        let url = database_url(&settings, &sources.given, environment)?;
        Ok::<_, ConfigError>(config(settings, Some(url)))
    };
    let inspect = |WithSettings(command, settings)| {
        Ok::<_, ConfigError>(Command::Inspect(connected(settings)?, command))
    };
    Ok(match action {
        Action::Serve(settings) => Command::Serve(connected(settings)?),
        Action::Check { settings, format } => Command::Check(connected(settings)?, format),
        Action::Healthy(settings) => Command::Healthy(settings.config.web),
        Action::Grants { settings, role } => Command::Grants(connected(settings)?, role),
        Action::Jobs(action) => inspect(action.into())?,
        Action::Queues(action) => inspect(action.into())?,
        Action::Dags(action) => inspect(action.into())?,
        Action::Stats(leaf) => inspect(leaf.into())?,
        Action::Top(leaf) => Command::Top(connected(leaf.settings)?, leaf.answer),
        Action::Maintain(MaintainAction::Backup(leaf)) => {
            Command::Backup(connected(leaf.settings)?, leaf.asked.to)
        }
        Action::Maintain(MaintainAction::Change(action)) => {
            let (maintenance, settings) = maintenance(action);
            Command::Maintain(connected(settings)?, maintenance)
        }
        Action::Metrics { format } => Command::Metrics(format),
        Action::Rules => Command::Rules,
        Action::Dashboards { out } => Command::Dashboards(out),
        Action::Completions { shell } => Command::Completions(shell),
        Action::Man { out } => Command::Man(out),
        #[cfg(feature = "demo")]
        Action::Demo { settings, demo } => {
            let named = |name: &str| origin(&sources.given, name) == Some(&Origin::CommandLine);
            if sources::DATABASE.into_iter().any(named) {
                return Err(ConfigError::DemoDatabaseUrl);
            }
            Command::Demo(config(settings, None), demo)
        }
    })
}

/// Returns the task and the settings of a subcommand of `maintain`.
fn maintenance(action: ChangeAction) -> (Maintenance, Settings) {
    match action {
        ChangeAction::Archive(leaf) => (Maintenance::Archive(leaf.asked), leaf.settings),
        ChangeAction::Purge(PurgeAction::Completed(leaf)) => {
            (Maintenance::Purge(JobOutcome::Completed, leaf.asked), leaf.settings)
        }
        ChangeAction::Purge(PurgeAction::Failed(leaf)) => {
            (Maintenance::Purge(JobOutcome::Failed, leaf.asked), leaf.settings)
        }
        ChangeAction::Purge(PurgeAction::History(leaf)) => {
            (Maintenance::PurgeHistory(leaf.asked), leaf.settings)
        }
        ChangeAction::Purge(PurgeAction::All(leaf)) => (Maintenance::PurgeAll(leaf.asked), leaf.settings),
        ChangeAction::Queue(QueueAction::Create(leaf)) => {
            (Maintenance::QueueCreate(leaf.asked), leaf.settings)
        }
        ChangeAction::Queue(QueueAction::Set(leaf)) => (Maintenance::QueueSet(leaf.asked), leaf.settings),
        ChangeAction::Indexes(leaf) => (Maintenance::Indexes(leaf.asked), leaf.settings),
    }
}

/// Returns the innermost subcommand that was given.
fn named<'a>(line: &'a clap::Command, matches: &ArgMatches) -> &'a clap::Command {
    let below = matches.subcommand().and_then(|(name, below)| Some((line.find_subcommand(name)?, below)));
    below.map_or(line, |(command, matches)| named(command, matches))
}

/// Merges the values of the file, the environment and the flags.
fn gather(
    subcommand: &clap::Command,
    flags: &ArgMatches,
    environment: &dyn Fn(&str) -> Option<OsString>,
    read: &dyn Fn(&Path) -> io::Result<String>,
) -> Result<Sources, ConfigError> {
    let flags: Level = sources::settings(subcommand)
        .filter(|(_, a)| flags.value_source(a.get_id().as_str()) == Some(ValueSource::CommandLine))
        .map(|(name, argument)| {
            let values = flags.get_raw(argument.get_id().as_str()).into_iter().flatten();
            let given = |value: &OsStr| Given { value: value.to_owned(), origin: Origin::CommandLine };
            (name.to_owned(), values.map(given).collect())
        })
        .collect();
    let higher = sources::overlay(sources::from_environment(subcommand, environment)?, flags);
    let Some(path) = higher.get("config.file").and_then(|given| given.first()) else {
        return Ok(Sources { given: higher, ..Sources::default() });
    };
    let path = Path::new(&path.value);
    let text = read(path).map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })?;
    let (lower, stuck_after_by_queue) = sources::from_file(subcommand, file::read(&text, path)?, path)?;
    Ok(Sources { given: sources::overlay(lower, higher), stuck_after_by_queue })
}

/// Sets the given values as clap's default values, over which flags take precedence.
fn with_defaults(subcommand: clap::Command, given: &Level) -> clap::Command {
    subcommand.mut_args(|argument| match argument.get_long().and_then(|setting| given.get(setting)) {
        Some(given) => {
            let values: Vec<clap::builder::OsStr> =
                given.iter().map(|given| given.value.clone().into()).collect();
            argument.default_values(values)
        }
        None => argument,
    })
}

/// Returns where a setting was given.
fn origin<'a>(given: &'a Level, setting: &str) -> Option<&'a Origin> {
    given.get(setting).and_then(|given| given.first()).map(|given| &given.origin)
}

/// Returns the source of the database's URL. Checks the URL, unless it is in a file.
fn database_url(
    settings: &Settings,
    given: &Level,
    environment: &dyn Fn(&str) -> Option<OsString>,
) -> Result<DatabaseUrl, ConfigError> {
    sources::check_libpq_variables(environment)?;
    let origin = |setting| origin(given, setting).cloned().unwrap_or(Origin::CommandLine);
    let [url, file] = sources::DATABASE.map(origin);
    match (&settings.database_url, &settings.database_url_file) {
        (Some(_), Some(_)) => Err(ConfigError::TwoDatabaseUrls { url, file }),
        (None, None) if sources::libpq_variables_name_a_database(environment) => Ok(DatabaseUrl::Environment),
        (None, None) => Err(ConfigError::NoDatabaseUrl),
        (None, Some(path)) => Ok(DatabaseUrl::File(path.clone())),
        (Some(secret), None) => match Connect::parse(secret.expose()) {
            Ok(_) => Ok(DatabaseUrl::Given(secret.clone())),
            Err(reason) => Err(ConfigError::DatabaseUrl { origin: url, reason }),
        },
    }
}
