//! Declares the command line for clap.
//!
//! [`Action`] lists the commands. [`command_line`] adds what is derived: to the help of each setting its environment
//! variable, and for each collector the flags `--collector.NAME` and `--no-collector.NAME`. For example,
//! `--collector.interval` gets the line `[env: MARIE_EXPORTER_COLLECTOR_INTERVAL]`. Settings without effect on a command are
//! accepted, because the file may contain them, but hidden in its help.

#![allow(clippy::doc_markdown, reason = "clap prints these comments as help, without markdown")]

use std::collections::BTreeSet;
use std::path::PathBuf;

use clap::builder::Resettable;
use clap::{Arg, ArgAction, ArgMatches, CommandFactory, Parser, Subcommand};
use clap_complete::Shell;

#[cfg(feature = "demo")]
use crate::config::DemoConfig;
use crate::config::{Format, Leaf, MetricsFormat, Nothing, Settings, sources, values};
use crate::inspect::dags::DagsAction;
use crate::inspect::jobs::JobsAction;
use crate::inspect::options::{ListOptions, Times};
use crate::inspect::queues::QueuesAction;
use crate::inspect::stats::Stats;
use crate::maintain::args::MaintainAction;

/// Prometheus exporter for the Marie-AI job scheduler's PostgreSQL database.
#[derive(Debug, Parser)]
#[command(name = "marie-exporter", version)]
pub(super) struct CommandLine {
    #[command(subcommand)]
    pub(super) action: Action,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(super) enum Action {
    /// Serve the metrics
    Serve(Settings),
    /// Connect to the database, run each query once, and report what is missing
    Check {
        /// Output format
        // Before the settings, because it would otherwise appear under the last heading of them.
        #[arg(long, default_value = "text")]
        format: Format,
        #[command(flatten)]
        settings: Settings,
    },
    /// Check whether a running exporter is healthy; exits with 0 if it is and with 1 if not
    Healthy(Settings),
    /// List jobs, or show one
    #[command(subcommand)]
    Jobs(JobsAction),
    /// List queues
    #[command(subcommand)]
    Queues(QueuesAction),
    /// List DAGs, or show one
    #[command(subcommand)]
    Dags(DagsAction),
    /// Count jobs
    Stats(Leaf<Stats, ListOptions>),
    /// Watch queues, stuck and running jobs in the terminal
    Top(Leaf<Nothing, Times>),
    /// Archive and purge jobs, set up queues, create indexes; changes nothing without --execute
    #[command(subcommand)]
    Maintain(MaintainAction),
    /// Print SQL that creates a role with the rights that the exporter needs, and no others
    Grants {
        /// Name of the role
        #[arg(long, value_name = "NAME", default_value = crate::config::ROLE, value_parser = crate::config::database::name)]
        role: String,
        #[command(flatten)]
        settings: Settings,
    },
    /// Print the table of all metrics
    Metrics {
        /// Output format
        #[arg(long, default_value = "markdown")]
        format: MetricsFormat,
    },
    /// Print the rules for Prometheus: recording rules and alerts
    Rules,
    /// Write the Grafana dashboards into a folder
    Dashboards {
        /// Folder, created if missing; existing files are replaced
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
    },
    /// Print the completion script of a shell
    Completions { shell: Shell },
    /// Write the manual pages, one for each command, into a folder
    Man {
        /// Folder, created if missing; existing files are replaced
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
    },
    /// Serve the metrics of a throwaway PostgreSQL with a simulated scheduler
    #[cfg(feature = "demo")]
    Demo {
        #[command(flatten)]
        settings: Settings,
        #[command(flatten)]
        demo: DemoConfig,
    },
}

/// Returns the command line, for collectors with these names and descriptions.
pub fn command_line(collectors: &[(&'static str, &'static str)]) -> clap::Command {
    let line = on_leaves(CommandLine::command().max_term_width(120), &|leaf| {
        if sources::settings(&leaf).next().is_none() {
            return leaf;
        }
        let is_demo = leaf.get_name() == "demo";
        with_switches(leaf.next_line_help(true), collectors).mut_args(|argument| {
            let (Some(setting), Some(_)) = (argument.get_long(), argument.get_help_heading()) else {
                return argument;
            };
            let hidden = argument.is_hide_set() || is_demo && sources::DATABASE.contains(&setting);
            let variable = sources::environment_name(setting);
            let help = argument.get_help().cloned().unwrap_or_default();
            argument.help(format!("{help}\n[env: {variable}]")).hide(hidden)
        })
    });
    let line = line.mut_subcommand("healthy", |command| {
        with_settings(command, &|heading, _| ["Configuration", "Web"].contains(&heading))
    });
    ["jobs", "queues", "dags", "stats", "top", "maintain"].into_iter().fold(line, |line, group| {
        line.mut_subcommand(group, |command| on_leaves(command, &with_few_settings))
    })
}

/// Applies `change` to each command without subcommands.
pub(super) fn on_leaves(
    command: clap::Command,
    change: &dyn Fn(clap::Command) -> clap::Command,
) -> clap::Command {
    if command.has_subcommands() {
        command.mut_subcommands(|below| on_leaves(below, change))
    } else {
        change(command)
    }
}

/// Hides the settings that have no effect on a command at the terminal.
fn with_few_settings(leaf: clap::Command) -> clap::Command {
    with_settings(leaf, &|heading, setting| {
        ["Configuration", "Database"].contains(&heading)
            || ["stuck.after", "collector.timeout"].contains(&setting)
    })
}

/// Hides the settings that have no effect on this command. All are accepted, because the file may contain them.
fn with_settings(leaf: clap::Command, has_effect: &dyn Fn(&str, &str) -> bool) -> clap::Command {
    leaf.after_help(Resettable::Reset).mut_args(|argument| {
        let is_shown = match (argument.get_help_heading(), argument.get_long()) {
            (None, _) => true,
            (Some(heading), setting) => has_effect(heading, setting.unwrap_or_default()),
        };
        let hidden = argument.is_hide_set() || !is_shown;
        argument.hide(hidden)
    })
}

/// Adds the two flags of each collector. The help shows them in one short list, so the flags themselves are hidden.
fn with_switches(command: clap::Command, collectors: &[(&'static str, &'static str)]) -> clap::Command {
    let mut list = Vec::new();
    let mut command = command;
    for (name, about) in collectors {
        let (on, off) = switches(name);
        list.push(format!("      --[no-]{on}\n          {about}"));
        let negation = Arg::new(off.clone()).long(off).overrides_with(on.clone());
        let switch = Arg::new(on.clone())
            .long(on)
            .help_heading("Collectors")
            .num_args(0..=1)
            .require_equals(true)
            .default_value("true")
            .default_missing_value("true")
            .value_parser(values::switch);
        command = command
            .arg(switch.hide(true))
            // Without a heading it is not a setting of its own, but the negation of the first flag.
            .arg(negation.action(ArgAction::SetTrue).help_heading(None::<&str>).hide(true));
    }
    let variable = sources::environment_name("collector.<NAME>");
    let heading = format!("Collectors, all of them on [env: {variable}=false]:");
    command.after_help(format!("{heading}\n{}", list.join("\n")))
}

/// Returns the names of a collector's two flags.
fn switches(collector: &str) -> (String, String) {
    (format!("collector.{collector}"), format!("no-collector.{collector}"))
}

/// Returns the collectors that are switched off.
pub(super) fn disabled(
    matches: &ArgMatches,
    collectors: &[(&'static str, &'static str)],
) -> BTreeSet<String> {
    let matches = leaf(matches);
    if matches.try_contains_id("config.file").is_err() {
        return BTreeSet::new();
    }
    collectors
        .iter()
        .map(|(name, _)| (*name).to_owned())
        .filter(|name| {
            let (on, off) = switches(name);
            matches.get_flag(&off) || matches.get_one(&on) == Some(&false)
        })
        .collect()
}

/// Returns the matches of the innermost subcommand.
pub(super) fn leaf(mut matches: &ArgMatches) -> &ArgMatches {
    while let Some((_, below)) = matches.subcommand() {
        matches = below;
    }
    matches
}
