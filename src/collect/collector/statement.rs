//! The text of a query's statement for a database, and how it is run.

use std::collections::BTreeSet;

use sqlx::postgres::{PgArguments, PgRow};
use sqlx::{Arguments, AssertSqlSafe, SqlSafeStr, SqlStr};

use super::{Context, Fallback, Query, by_queue, optional};
use crate::postgres::{Failure, Reason, Run};
use crate::schema::{Need, Schema};

impl Query {
    /// Returns the statement for this database: the file's text with its tables qualified, behind the fallbacks that it
    /// needs here and its definitions, and summed up by published queues.
    pub fn text(&self, schema: &Schema) -> String {
        self.text_over(schema, None)
    }

    /// Returns the statement over the jobs of some queues only, and adds these to its arguments.
    ///
    /// # Errors
    /// When they cannot be encoded.
    pub fn text_of_queues(
        &self,
        schema: &Schema,
        arguments: &mut PgArguments,
        queues: &[String],
    ) -> Result<String, Failure> {
        // PostgreSQL prunes no partition for an empty list. This name cannot be guessed.
        let no_queue = [format!("{:032x}", rand::random::<u128>())];
        let added = arguments.add(if queues.is_empty() { &no_queue } else { queues });
        added.map_err(|error| self.failure(Reason::Other, &error.to_string()))?;
        Ok(self.text_over(schema, Some(arguments.len())))
    }

    fn text_over(&self, schema: &Schema, queues: Option<usize>) -> String {
        let text = self.text_of_file(schema, queues);
        if self.by_queue.is_empty() { text } else { by_queue::summed(&text, self.by_queue) }
    }

    fn text_of_file(&self, schema: &Schema, queues: Option<usize>) -> String {
        let of_queues: &[(&str, &str)] = if queues.is_some() { &[("job", "job_of_queues")] } else { &[] };
        // Not materialized, so that it is planned as the table would be, with the partitions of these queues alone.
        let jobs = queues.map(|parameter| {
            format!(
                "job_of_queues as not materialized (select {} from {}.job where name = any (${parameter}::text[]))",
                self.job_columns(schema).join(", "),
                schema.name.quoted(),
            )
        });
        let mut expressions: Vec<String> = jobs.into_iter().collect();
        let mut replaced = Vec::new();
        let fallbacks = self.fallbacks_here(schema).map(|fallback| (fallback.table, fallback.sql.to_owned()));
        let needs = self.needs.iter().chain(self.definitions.iter().flat_map(|definition| definition.needs));
        for (table, sql) in fallbacks.chain(optional::without_missing(&needs, self.optional, schema)) {
            expressions.push(schema.name.qualify_except(&sql, of_queues));
            replaced.push((table, table));
        }
        replaced.extend(of_queues);
        for definition in self.definitions {
            expressions.push(schema.name.qualify_except(definition.sql, &replaced));
        }
        let text = schema.name.qualify_except(self.sql.text, &replaced);
        if expressions.is_empty() {
            return text;
        }
        format!("with {}\nselect query.* from (\n{text}\n) as query", expressions.join(",\n"))
    }

    /// Returns the columns of `job` that it reads here, its queue's name among them.
    fn job_columns(&self, schema: &Schema) -> Vec<&'static str> {
        let mut columns = BTreeSet::from(["name"]);
        for need in self.needs_here(schema) {
            if let Need::Columns("job", more) = need {
                columns.extend(*more);
            }
        }
        columns.into_iter().collect()
    }

    /// The same as sqlx takes it. Safe, because nothing but our own files and the quoted schema goes into it.
    pub fn statement(&self, schema: &Schema) -> SqlStr {
        AssertSqlSafe(self.text(schema)).into_sql_str()
    }

    /// Runs it inside the transaction of `run`.
    ///
    /// # Errors
    /// Any failure of the database, led by the query's name.
    pub async fn fetch(&self, run: &mut Run, context: &Context<'_>) -> Result<Vec<PgRow>, Failure> {
        let arguments = self.arguments(context)?;
        let statement = self.statement(context.schema);
        let rows = run.fetch_all(sqlx::query_with(statement, arguments)).await;
        rows.map_err(|failure| self.failure(failure.reason, &failure.message))
    }

    /// Runs it over the jobs of these queues only.
    ///
    /// # Errors
    /// As of [`Query::fetch`].
    pub async fn fetch_of_queues(
        &self,
        run: &mut Run,
        context: &Context<'_>,
        queues: &[String],
    ) -> Result<Vec<PgRow>, Failure> {
        self.fetch_over(run, context.schema, self.arguments(context)?, queues).await
    }

    /// The same with other arguments than the query's own.
    ///
    /// # Errors
    /// As of [`Query::fetch`].
    pub async fn fetch_over(
        &self,
        run: &mut Run,
        schema: &Schema,
        mut arguments: PgArguments,
        queues: &[String],
    ) -> Result<Vec<PgRow>, Failure> {
        let text = self.text_of_queues(schema, &mut arguments, queues)?;
        // Safe, because nothing but our own files and the quoted schema goes into it.
        let statement = AssertSqlSafe(text);
        // Planned for its values each time, so there is nothing to keep.
        let rows = run.fetch_all(sqlx::query_with(statement, arguments).persistent(false)).await;
        rows.map_err(|failure| self.failure(failure.reason, &failure.message))
    }

    fn arguments(&self, context: &Context<'_>) -> Result<PgArguments, Failure> {
        (self.arguments)(context).map_err(|error| self.failure(Reason::Other, &error.to_string()))
    }

    /// A failure, led by the query's name.
    fn failure(&self, reason: Reason, message: &str) -> Failure {
        Failure::new(reason, format!("{}: {message}", self.sql.name))
    }

    fn fallbacks_here(&self, schema: &Schema) -> impl Iterator<Item = &'static Fallback> {
        self.fallbacks.iter().filter(|fallback| fallback.is_used(schema))
    }
}
