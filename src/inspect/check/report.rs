//! Prints a [`Report`] of `check` as text.

use std::fmt;

use crate::terminal::duration::measured;
use crate::terminal::escape::{MESSAGE_LIMIT, escaped, escaped_lines};

use super::{Advice, CollectorReport, Database, Outcome, Report};

/// Most characters of a printed name. PostgreSQL's names are shorter, also those of a column with its table.
const NAME_LIMIT: usize = 200;

/// Most excess rights that are printed.
const MAX_EXCESS: usize = 20;

impl fmt::Display for Report {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(database) = &self.database {
            database.fmt(to)?;
        }
        for warning in &self.warnings {
            writeln!(to, "warning   {}", escaped(warning, MESSAGE_LIMIT))?;
        }
        for collector in &self.collectors {
            collector.fmt(to)?;
        }
        if let Some(grants) = &self.grants {
            writeln!(
                to,
                "\nThe role may not read all that the exporter needs. These statements grant the missing rights:\n"
            )?;
            writeln!(to, "{}", indented(grants))?;
        }
        if !self.advice.is_empty() {
            writeln!(to, "\nThese queries have no index that serves them and read every row instead:")?;
        }
        for advice in &self.advice {
            advice.fmt(to)?;
        }
        match (&self.error, self.exit_code()) {
            (Some(error), _) => writeln!(to, "{error}"),
            (None, 0) => writeln!(to, "\nAll collectors that are switched on work."),
            (None, _) => writeln!(to, "\nSome collectors do not work; see above."),
        }
    }
}

impl fmt::Display for Database {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let recovery = if self.in_recovery { ", a standby" } else { "" };
        let version = name(&self.server_version);
        writeln!(to, "database  {}, PostgreSQL {version}{recovery}", name(&self.name))?;
        writeln!(to, "schema    {} (shape: {})", name(&self.schema), self.shape)?;
        if self.shape == "none" {
            writeln!(to, "          There is no job table; is --database.schema right?")?;
        }
        for untrusted in &self.untrusted {
            writeln!(to, "          {untrusted}.")?;
        }
        for view in &self.views {
            writeln!(to, "          {} is a view, which may leave out rows.", name(view))?;
        }
        for filtered in &self.filtered {
            writeln!(to, "          {filtered}; it is not read, because its numbers would be wrong.")?;
        }
        write!(to, "role      {}", name(&self.role))?;
        if self.superuser {
            writeln!(to, ", a superuser")?;
        } else if !self.writable.is_empty() {
            writeln!(to, ", could write to {}", names(&self.writable))?;
        } else if !self.only_reads {
            writeln!(to, ", can do more than the exporter needs")?;
        } else if !self.readable_besides.is_empty() {
            writeln!(to, ", can only read, but also {}", shortened(&self.readable_besides))?;
        } else if !self.excess.is_empty() {
            writeln!(to, ", can only read, but more than the exporter needs")?;
        } else if self.owner_functions.is_empty() {
            writeln!(to, ", can read what the exporter needs and no more")?;
        } else {
            writeln!(to, ", can read what the exporter needs, and run functions with the rights of others")?;
        }
        self.print_excess(to)?;
        let has_only_what_is_needed = !self.superuser
            && [&self.writable, &self.readable_besides, &self.excess].iter().all(|list| list.is_empty());
        if has_only_what_is_needed {
            return Ok(());
        }
        writeln!(
            to,
            "          A role that can do just what the exporter needs (marie-exporter grants):\n{}",
            indented(&self.role_sql)
        )
    }
}

impl Database {
    /// Prints the excess rights, and the rights of every role.
    fn print_excess(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        for right in self.excess.iter().chain(&self.owner_functions).take(MAX_EXCESS) {
            writeln!(to, "          {right}")?;
        }
        let rest = (self.excess.len() + self.owner_functions.len()).saturating_sub(MAX_EXCESS);
        if rest > 0 {
            writeln!(to, "          and {rest} more (--format=json has all)")?;
        }
        if !self.through_public.is_empty() {
            const SHOWN: usize = 3;
            let shown: Vec<&str> = self.through_public.iter().take(SHOWN).map(String::as_str).collect();
            let rest = self.through_public.len().saturating_sub(SHOWN);
            let more = if rest > 0 { format!(" and {rest} more") } else { String::new() };
            writeln!(to, "          As every role, by a grant to PUBLIC: {}{more}", shown.join("; "))?;
        }
        Ok(())
    }
}

impl fmt::Display for Advice {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Advice { file, pace, seconds, sql } = self;
        match seconds {
            Some(seconds) => write!(to, "\n  {file} takes {} at the pace {pace}", measured(*seconds))?,
            None => write!(to, "\n  {file} does not end in time at the pace {pace}")?,
        }
        writeln!(to, "; this index would serve it:\n{}", indented(sql))
    }
}

impl fmt::Display for CollectorReport {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = if self.enabled { "" } else { " (switched off)" };
        writeln!(to, "\n{}{state}", self.name)?;
        for query in &self.queries {
            let index = match query.indexed {
                Some(true) => "index",
                Some(false) => "no index",
                None => "",
            };
            let file = query.file;
            match &query.outcome {
                Outcome::Ran { pace, seconds } => {
                    writeln!(to, "  ok      {file:<26} {pace:<7} {:>10}  {index}", measured(*seconds))?;
                }
                Outcome::NotHere { lacks } => {
                    writeln!(to, "  -       {file:<26} not in this schema: {lacks}")?;
                }
                Outcome::Forbidden { lacks } => {
                    writeln!(to, "  DENIED  {file:<26} may not be read: {lacks}")?;
                }
                Outcome::TooManyLocks { lacks } => {
                    writeln!(to, "  LOCKS   {file:<26} would take {lacks}")?;
                }
                Outcome::NotWanted => {
                    writeln!(to, "  -       {file:<26} switched off by the configuration")?;
                }
                Outcome::Failed { error, .. } => writeln!(to, "  FAILED  {error}")?,
            }
        }
        Ok(())
    }
}

/// Returns the first names of a list, and the number of further names.
fn shortened(names: &[String]) -> String {
    const SHOWN: usize = 5;
    let rest = names.len().saturating_sub(SHOWN);
    let shown = self::names(&names[..names.len() - rest]);
    if rest == 0 { shown } else { format!("{shown} and {rest} more columns") }
}

/// Escapes a name of the database for the terminal.
fn name(name: &str) -> String {
    escaped(name, NAME_LIMIT)
}

/// Returns the names in one line, escaped for the terminal.
fn names(names: &[String]) -> String {
    names.iter().map(|text| name(text)).collect::<Vec<_>>().join(", ")
}

/// Returns the lines of a text, escaped and indented.
fn indented(text: &str) -> String {
    let text = escaped_lines(text);
    let lines: Vec<String> = text.lines().map(|line| format!("    {line}")).collect();
    lines.join("\n")
}
