//! Reads settings from environment variables and from the file, and merges levels by precedence.
//!
//! Each value is checked here by the parser of its flag, so that an error can name the variable or the line.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::time::Duration;

use clap::error::ContextKind;
use clap::{Arg, ArgAction, Command};
use serde_saphyr::Spanned;
use sqlx::postgres::PgSslMode;

use super::error::{ConfigError, Origin, beginning, looks_secret};
use super::file::{Entries, Node};
use super::values::{self, MILLISECOND, YEAR};

/// One value with its origin, before it is parsed.
#[derive(Debug, Clone)]
pub(crate) struct Given {
    pub(crate) value: OsString,
    pub(crate) origin: Origin,
}

/// The values of one source by the setting's name. Repeatable settings can have several.
pub(crate) type Level = BTreeMap<String, Vec<Given>>;

/// The two settings for the database's URL. That of the higher level takes precedence.
pub(crate) const DATABASE: [&str; 2] = ["database-url", "database-url-file"];

/// Returns the name of a setting's environment variable.
pub(crate) fn environment_name(setting: &str) -> String {
    format!("MARIE_EXPORTER_{}", setting.to_uppercase().replace(['.', '-'], "_"))
}

/// Returns the settings of a command with their names: the flags below a heading in its help. Flags such as `--help` and
/// `--format` have no heading, and cannot be set by the environment or the file.
pub(crate) fn settings(command: &Command) -> impl Iterator<Item = (&str, &Arg)> {
    command
        .get_arguments()
        .filter(|argument| argument.get_help_heading().is_some())
        .filter_map(|argument| Some((argument.get_long()?, argument)))
}

/// Reads the environment variable of each setting. An empty one counts as unset.
///
/// Unknown variables with the same prefix are ignored. For a Service called marie-exporter, Kubernetes sets
/// `MARIE_EXPORTER_SERVICE_HOST`, `MARIE_EXPORTER_PORT` and more in each pod of the namespace.
pub(crate) fn from_environment(
    command: &Command,
    environment: &dyn Fn(&str) -> Option<OsString>,
) -> Result<Level, ConfigError> {
    let variable = |name: String| {
        let value = environment(&name).filter(|value| !value.is_empty())?;
        Some(Given { value, origin: Origin::Environment(name) })
    };
    let mut level = Level::new();
    for (setting, argument) in settings(command) {
        if let Some(given) = variable(environment_name(setting)) {
            check(setting, argument, &given)?;
            level.insert(setting.to_owned(), vec![given]);
        }
    }
    if !DATABASE.iter().any(|name| level.contains_key(*name))
        && let Some(given) = variable("DATABASE_URL".to_owned())
    {
        level.insert(DATABASE[0].to_owned(), vec![given]);
    }
    Ok(level)
}

/// Variables of libpq that the driver ignores, although they select a server or protect the connection.
const UNSUPPORTED_VARIABLES: [&str; 7] = [
    "PGREQUIREAUTH",
    "PGREQUIREPEER",
    "PGREQUIRESSL",
    "PGSERVICE",
    "PGSSLCRL",
    "PGSSLCRLDIR",
    "PGSSLMINPROTOCOLVERSION",
];

/// Rejects variables that the driver ignores, and values for which it would use the default.
pub(crate) fn check_libpq_variables(
    environment: &dyn Fn(&str) -> Option<OsString>,
) -> Result<(), ConfigError> {
    let refuse = |variable: &str, value: &OsStr, reason: &str| ConfigError::Value {
        setting: "the database".to_owned(),
        value: shown("", value),
        origin: Origin::Environment(variable.to_owned()),
        reason: reason.to_owned(),
    };
    let given = |variable: &str| environment(variable).filter(|value| !value.is_empty());
    let is_port = |port: &str| port.is_empty() || port.parse::<u16>().is_ok();
    for variable in UNSUPPORTED_VARIABLES {
        if let Some(value) = given(variable) {
            return Err(refuse(variable, &value, "this variable is not supported, unset it"));
        }
    }
    if let Some(value) = given("PGPORT")
        && value.to_str().is_none_or(|ports| !ports.split(',').all(is_port))
    {
        return Err(refuse("PGPORT", &value, "must be a port number"));
    }
    if let Some(value) = given("PGSSLMODE")
        && value.to_str().is_none_or(|mode| mode.parse::<PgSslMode>().is_err())
    {
        let modes = "must be disable, allow, prefer, require, verify-ca or verify-full";
        return Err(refuse("PGSSLMODE", &value, modes));
    }
    if let Some(value) = given("PGCHANNELBINDING")
        && !value.to_str().is_some_and(|wanted| ["disable", "prefer"].contains(&wanted))
    {
        let reason = "the driver cannot bind a password to the TLS session; set it to prefer, and \
                      PGSSLMODE=verify-full";
        return Err(refuse("PGCHANNELBINDING", &value, reason));
    }
    Ok(())
}

/// Whether libpq's variables name a server or a database.
pub(crate) fn libpq_variables_name_a_database(environment: &dyn Fn(&str) -> Option<OsString>) -> bool {
    let is_set = |variable: &&str| environment(variable).is_some_and(|value| !value.is_empty());
    ["PGHOST", "PGHOSTADDR", "PGDATABASE"].iter().any(is_set)
}

/// Returns the settings of the file, and its thresholds by queue.
pub(crate) fn from_file(
    command: &Command,
    entries: Entries,
    path: &Path,
) -> Result<(Level, BTreeMap<String, Duration>), ConfigError> {
    let known: BTreeMap<&str, &Arg> = settings(command).filter(|(name, _)| *name != "config.file").collect();
    let origin = |line| Origin::File { path: path.to_owned(), line };
    let mut level = Level::new();
    let mut thresholds = BTreeMap::new();
    for (key, node) in entries {
        if key.value == "queues" {
            thresholds = queues(node, &origin)?;
            continue;
        }
        let Some(argument) = known.get(key.value.as_str()) else {
            let hint = hint(command, &known, &key.value);
            let origin = origin(key.referenced.line());
            let key = shown(&key.value, key.value.as_ref());
            return Err(ConfigError::UnknownKey { key, origin, hint });
        };
        let repeatable = matches!(argument.get_action(), ArgAction::Append);
        let nodes = match node.value {
            Node::List(nodes) if repeatable && !nodes.is_empty() => nodes,
            _ => vec![node],
        };
        let mut values = Vec::new();
        for node in nodes {
            let (text, origin) = scalar(&key.value, node, &origin)?;
            let given = Given { value: text.into(), origin };
            check(&key.value, argument, &given)?;
            values.push(given);
        }
        level.insert(key.value, values);
    }
    Ok((level, thresholds))
}

/// Parses the thresholds by queue, as in `{extract: {stuck_after: 20m}}`.
fn queues(
    node: Spanned<Node>,
    origin: &dyn Fn(u64) -> Origin,
) -> Result<BTreeMap<String, Duration>, ConfigError> {
    let example = "queues: {extract: {stuck_after: 20m}}";
    let mut thresholds = BTreeMap::new();
    for (queue, node) in mapping("queues", example, node, origin)? {
        let setting = format!("queues: {}", shown("", queue.value.as_ref()));
        for (key, node) in mapping(&setting, example, node, origin)? {
            if key.value != "stuck_after" {
                return Err(ConfigError::UnknownKey {
                    key: shown(&key.value, key.value.as_ref()),
                    origin: origin(key.referenced.line()),
                    hint: "a queue has the key stuck_after".to_owned(),
                });
            }
            let setting = format!("{setting}: stuck_after");
            let (text, origin) = scalar(&setting, node, origin)?;
            let threshold = values::duration(MILLISECOND, YEAR)(&text).map_err(|reason| {
                ConfigError::Value { setting, value: shown("", text.as_ref()), origin, reason }
            })?;
            thresholds.insert(queue.value.clone(), threshold);
        }
    }
    Ok(thresholds)
}

/// Returns the entries of a mapping. `example` is a valid one for the error.
pub(crate) fn mapping(
    setting: &str,
    example: &str,
    node: Spanned<Node>,
    origin: &dyn Fn(u64) -> Origin,
) -> Result<Entries, ConfigError> {
    match node.value {
        Node::Mapping(entries) => Ok(entries),
        // All entries are commented out.
        Node::Scalar(text) if text.is_empty() => Ok(Entries::new()),
        Node::Scalar(_) | Node::List(_) => Err(ConfigError::Yaml {
            origin: origin(node.referenced.line()),
            reason: format!("{setting} must be as in {example}"),
        }),
    }
}

/// Returns a single value and its origin.
pub(crate) fn scalar(
    setting: &str,
    node: Spanned<Node>,
    origin: &dyn Fn(u64) -> Origin,
) -> Result<(String, Origin), ConfigError> {
    let origin = origin(node.referenced.line());
    let reason = match node.value {
        Node::Scalar(text) if !text.is_empty() => return Ok((text, origin)),
        Node::List(nodes) if !nodes.is_empty() => "takes a single value",
        Node::Mapping(_) => "takes a single value",
        Node::Scalar(_) | Node::List(_) => "has no value; leave the key out for its default",
    };
    Err(ConfigError::Yaml { origin, reason: format!("{setting} {reason}") })
}

/// Checks a value with the parser of its flag, on a command line that has no other flag.
fn check(setting: &str, argument: &Arg, given: &Given) -> Result<(), ConfigError> {
    let mut flag = OsString::from(format!("--{setting}="));
    flag.push(&given.value);
    let command = Command::new("").no_binary_name(true).arg(argument.clone());
    let Err(error) = command.try_get_matches_from([flag]) else {
        return Ok(());
    };
    let reason = match (std::error::Error::source(&error), error.get(ContextKind::ValidValue)) {
        (Some(reason), _) => reason.to_string(),
        (None, Some(valid)) => format!("must be one of {valid}"),
        (None, None) => error.kind().to_string(),
    };
    Err(ConfigError::Value {
        setting: setting.to_owned(),
        value: shown(setting, &given.value),
        origin: given.origin.clone(),
        reason,
    })
}

/// Returns the value for a message, or asterisks if it is a secret or looks like one.
pub(crate) fn shown(setting: &str, value: &OsStr) -> String {
    let value = value.to_string_lossy();
    if setting == DATABASE[0] || looks_secret(&value) {
        return "***".into();
    }
    let (value, more) = beginning(&value);
    format!("{value:?}{more}")
}

/// Returns clap's guess for an unknown key, or all known keys.
fn hint(command: &Command, known: &BTreeMap<&str, &Arg>, key: &str) -> String {
    let guess = command.clone().try_get_matches_from(["", &format!("--{key}")]).err();
    let guess = guess.as_ref().and_then(|error| error.get(ContextKind::SuggestedArg));
    let guess = guess.map(|flag| flag.to_string().trim_start_matches('-').to_owned());
    if let Some(guess) = guess.filter(|guess| known.contains_key(guess.as_str())) {
        return format!("did you mean {guess}?");
    }
    let keys: Vec<&str> = known.keys().copied().chain(["queues"]).collect();
    format!("the keys are {}", keys.join(", "))
}

/// Merges two levels; the higher one takes precedence. If it sets the URL or the URL's file, both settings of the lower
/// level are dropped, because a URL in the file would contradict a flag with the URL's file.
pub(crate) fn overlay(mut lower: Level, higher: Level) -> Level {
    if DATABASE.iter().any(|name| higher.contains_key(*name)) {
        lower.retain(|name, _| !DATABASE.contains(&name.as_str()));
    }
    lower.extend(higher);
    lower
}
