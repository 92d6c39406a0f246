//! What a reading command is, and how it runs.
//!
//! A command is a struct of its arguments, which clap fills. It implements [`ListCommand`] if it prints the rows of a
//! listing, or [`ShowCommand`] if it prints one job or DAG in sections. [`command_group!`] makes the subcommands of
//! `jobs`, `queues` and `dags` of such structs. To add a command, write its file and add its line to the group.

use std::fmt;

use futures_util::future::BoxFuture;
use sqlx::postgres::PgArguments;

use super::Output;
use super::bind::Thresholds;
use super::listing::Listing;
use super::options::{ListFormat, ListOptions, ShowFormat, ShowOptions};
use super::reader::{Merge, Reader};
use super::scope::Scope;
use super::sections::Sections;
use crate::config::{Config, Leaf, Settings};
use crate::postgres::Failure;
use crate::schema::Schema;
use crate::terminal::columns::Rows;
use crate::terminal::table::{self, Style};

/// A command that prints the rows of one listing.
pub(super) trait ListCommand: fmt::Debug + Send + Sync {
    fn listing(&self) -> &'static Listing;

    /// Binds the parameters after the first two, which are the limit and the offset.
    ///
    /// `group` is `None` if the statement covers all queues. A listing that reads jobs of other queues too returns rows of
    /// the group's queues only.
    fn bind(
        &self,
        arguments: &mut PgArguments,
        thresholds: &Thresholds,
        group: Option<&[String]>,
    ) -> Result<(), Failure>;

    /// The queue that the rows are of, if only one was requested.
    fn queue(&self) -> Option<&str> {
        None
    }

    /// The other texts that rows have to match.
    fn filters(&self) -> Vec<&str> {
        Vec::new()
    }

    fn scope(&self) -> Scope<'_> {
        self.queue().map_or(Scope::AllJobs, Scope::Queue)
    }

    fn merge(&self) -> Merge {
        Merge::Rows
    }

    /// Checks the arguments against what this database has.
    fn check(&self, _schema: &Schema) -> Result<(), Failure> {
        Ok(())
    }

    /// Fills columns that another statement returns.
    fn complete<'a>(
        &'a self,
        _reader: &'a mut Reader<'_>,
        rows: Rows,
    ) -> BoxFuture<'a, Result<Rows, Failure>> {
        Box::pin(async { Ok(rows) })
    }
}

/// A command that prints one job or DAG in sections.
pub(super) trait ShowCommand: fmt::Debug + Send + Sync {
    fn scope(&self) -> Scope<'_>;

    /// Reads the sections.
    ///
    /// # Errors
    /// If there is no such job or DAG, or the connection fails.
    fn read<'a>(&'a self, reader: &'a mut Reader<'_>) -> BoxFuture<'a, Result<Sections, Failure>>;
}

/// A reading command with its arguments.
#[derive(Debug)]
pub struct InspectCommand(Kind);

#[derive(Debug)]
enum Kind {
    List(Box<dyn ListCommand>, ListOptions),
    Show(Box<dyn ShowCommand>, ShowOptions),
}

impl<C: ListCommand + clap::Args + 'static> From<Leaf<C, ListOptions>> for WithSettings {
    fn from(leaf: Leaf<C, ListOptions>) -> Self {
        WithSettings(InspectCommand(Kind::List(Box::new(leaf.asked), leaf.answer)), leaf.settings)
    }
}

impl<C: ShowCommand + clap::Args + 'static> From<Leaf<C, ShowOptions>> for WithSettings {
    fn from(leaf: Leaf<C, ShowOptions>) -> Self {
        WithSettings(InspectCommand(Kind::Show(Box::new(leaf.asked), leaf.answer)), leaf.settings)
    }
}

/// A command as the command line gave it, and the settings given with it.
pub(crate) struct WithSettings(pub(crate) InspectCommand, pub(crate) Settings);

/// Declares the subcommands of a group. Each line has the help, the name, the struct of the command and its options.
macro_rules! command_group {
    ($group:ident { $($(#[$help:meta])* $name:ident($command:ty, $options:ty),)+ }) => {
        // A comment here would replace the help of the group.
        #[derive(Debug, clap::Subcommand)]
        pub(crate) enum $group {
            $($(#[$help])* $name($crate::config::Leaf<$command, $options>),)+
        }

        impl $group {
            /// The queries of each command.
            pub(in crate::inspect) const QUERIES: &[&[&$crate::collect::collector::Query]] =
                &[$(<$command>::QUERIES),+];
        }

        impl From<$group> for $crate::inspect::command::WithSettings {
            fn from(group: $group) -> Self {
                match group {
                    $($group::$name(leaf) => leaf.into(),)+
                }
            }
        }
    };
}
pub(super) use command_group;

impl InspectCommand {
    fn timezone(&self) -> &str {
        match &self.0 {
            Kind::List(_, options) => &options.times.timezone,
            Kind::Show(_, options) => &options.times.timezone,
        }
    }

    fn scope(&self) -> Scope<'_> {
        match &self.0 {
            Kind::List(command, _) => command.scope(),
            Kind::Show(command, _) => command.scope(),
        }
    }

    /// Connects, runs the command and returns what it prints.
    ///
    /// # Errors
    /// If the database does not answer in time, lacks a table or denies a right, or has no such job or DAG.
    pub async fn run(&self, config: &Config, style: Style) -> anyhow::Result<Output> {
        let mut reader = Reader::open(config, self.timezone(), self.scope()).await?;
        let output = match &self.0 {
            Kind::List(command, options) => list(&mut reader, &**command, options, style).await,
            Kind::Show(command, options) => show(&mut reader, &**command, options, style).await,
        };
        reader.close().await;
        output
    }
}

async fn list(
    reader: &mut Reader<'_>,
    command: &dyn ListCommand,
    options: &ListOptions,
    style: Style,
) -> anyhow::Result<Output> {
    let filters: Vec<&str> = command.queue().into_iter().chain(command.filters()).collect();
    reader.note_filters(&filters).await?;
    command.check(&reader.schema)?;
    let thresholds = reader.thresholds.clone();
    let bind =
        |arguments: &mut PgArguments, group: Option<&[String]>| command.bind(arguments, &thresholds, group);
    let listing = command.listing();
    let rows = reader.fetch_page(listing, command.merge(), Some(options.into()), &bind).await?;
    let rows = command.complete(reader, rows).await?;
    let mut note = note(&rows, options, reader.transactions());
    if rows.rows.is_empty()
        && let Some(queue) = command.queue()
        && !reader.knows_queue(queue).await?
    {
        // A misspelt name must not look like a queue without such jobs.
        note = Some(format!("No rows: there is no queue {queue:?} here; `queues list` prints the queues"));
    }
    let text = match options.format {
        ListFormat::Table => table::table(listing.columns, &rows, style),
        ListFormat::Json => table::json(listing.columns, &rows)?,
        ListFormat::Csv => table::csv(listing.columns, &rows, style, false)?,
        ListFormat::CsvSpreadsheet => table::csv(listing.columns, &rows, style, true)?,
    };
    Ok(Output { text, note })
}

async fn show(
    reader: &mut Reader<'_>,
    command: &dyn ShowCommand,
    options: &ShowOptions,
    style: Style,
) -> anyhow::Result<Output> {
    let sections = command.read(reader).await?;
    let text = match options.format {
        ShowFormat::Table => sections.table(style),
        ShowFormat::Json => sections.json()?,
    };
    Ok(Output { text, note: None })
}

fn note(rows: &Rows, options: &ListOptions, transactions: usize) -> Option<String> {
    let mut notes = Vec::new();
    if rows.more {
        notes.push(format!("There are more: --page {}, or a larger --limit", options.page + 1));
    } else if rows.rows.is_empty() && options.format == ListFormat::Table {
        notes.push("No rows.".to_owned());
    }
    if transactions > 1 {
        notes.push(format!(
            "Read in {transactions} transactions, one for each group of queues, because one for all would take too many \
             locks; so these rows are not of one instant"
        ));
    }
    (!notes.is_empty()).then(|| notes.join("\n"))
}
