//! Builds the statement of a query for this database, and runs it.

use std::collections::BTreeSet;

use sqlx::postgres::{PgArguments, PgRow};
use sqlx::{Arguments, AssertSqlSafe, SqlSafeStr, SqlStr};

use super::{Context, Fallback, Query, by_queue, optional};
use crate::postgres::{Failure, Reason, Run};
use crate::schema::{Need, Schema};

impl Query {
    /// Returns the statement for this database: the SQL file with qualified tables, after the fallbacks in use and the
    /// definitions, and merged by published queues.
    pub fn text(&self, schema: &Schema) -> String {
        self.text_over(schema, None)
    }

    /// Returns the statement over the jobs of some queues only, and adds these queues to `arguments`.
    ///
    /// # Errors
    /// If the queues cannot be encoded.
    pub fn text_of_queues(
        &self,
        schema: &Schema,
        arguments: &mut PgArguments,
        queues: &[String],
    ) -> Result<String, Failure> {
        // An empty list prunes no partition, so a name that no client can guess stands for it.
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
        let job_table: &[(&str, &str)] = if queues.is_some() { &[("job", "job_of_queues")] } else { &[] };
        // Not materialized, so that it is planned like the table, with the partitions of these queues only.
        let jobs = queues.map(|parameter| {
            format!(
                "job_of_queues as not materialized (select {} from {}.job where name = any (${parameter}::text[]))",
                self.job_columns(schema).join(", "),
                schema.name.quoted(),
            )
        });
        let mut expressions: Vec<String> = jobs.into_iter().collect();
        let mut replaced = Vec::new();
        let fallbacks =
            self.used_fallbacks(schema).into_iter().map(|fallback| (fallback.table, fallback.sql.to_owned()));
        let needs = self.needs.iter().chain(self.definitions.iter().flat_map(|definition| definition.needs));
        for (table, sql) in fallbacks
            .chain(optional::without_missing(&needs, self.optional, |need| self.is_replaced(need, schema)))
        {
            expressions.push(schema.name.qualify_except(&sql, job_table));
            replaced.push((table, table));
        }
        replaced.extend(job_table);
        for definition in self.definitions {
            expressions.push(schema.name.qualify_except(definition.sql, &replaced));
        }
        let text = schema.name.qualify_except(self.sql.text, &replaced);
        if expressions.is_empty() {
            return text;
        }
        format!("with {}\nselect query.* from (\n{text}\n) as query", expressions.join(",\n"))
    }

    /// Returns the columns of `job` that the query reads on this database, including the queue's name.
    fn job_columns(&self, schema: &Schema) -> Vec<&'static str> {
        let mut columns = BTreeSet::from(["name"]);
        for need in self.needs_here(schema).filter(|need| !self.is_replaced(need, schema)) {
            if let Need::Columns("job", more) = need {
                columns.extend(*more);
            }
        }
        columns.into_iter().collect()
    }

    /// Returns the statement for sqlx. Safe, because it consists of our own files and the quoted schema name.
    pub fn statement(&self, schema: &Schema) -> SqlStr {
        AssertSqlSafe(self.text(schema)).into_sql_str()
    }

    /// Runs the query in the transaction of `run`. A failure names the query.
    pub async fn fetch(&self, run: &mut Run, context: &Context<'_>) -> Result<Vec<PgRow>, Failure> {
        self.fetch_of(run, context.schema, self.arguments(context)?, None).await
    }

    /// Runs the query with `arguments` in place of its own: over the jobs of these queues only, or over all jobs.
    pub(crate) async fn fetch_of(
        &self,
        run: &mut Run,
        schema: &Schema,
        arguments: PgArguments,
        queues: Option<&[String]>,
    ) -> Result<Vec<PgRow>, Failure> {
        if let Some(queues) = queues {
            return self.fetch_with(run, schema, arguments, queues).await;
        }
        let rows = run.fetch_all(sqlx::query_with(self.statement(schema), arguments)).await;
        rows.map_err(|failure| self.failure(failure.reason, &failure.message))
    }

    /// Runs the query over the jobs of these queues only.
    pub async fn fetch_of_queues(
        &self,
        run: &mut Run,
        context: &Context<'_>,
        queues: &[String],
    ) -> Result<Vec<PgRow>, Failure> {
        self.fetch_with(run, context.schema, self.arguments(context)?, queues).await
    }

    /// Runs the query over the jobs of these queues only, with `arguments` in place of the query's own.
    pub async fn fetch_with(
        &self,
        run: &mut Run,
        schema: &Schema,
        mut arguments: PgArguments,
        queues: &[String],
    ) -> Result<Vec<PgRow>, Failure> {
        let text = self.text_of_queues(schema, &mut arguments, queues)?;
        // Safe, because it consists of our own files and the quoted schema name.
        let statement = AssertSqlSafe(text);
        // Each call is planned for its values, so a prepared statement is of no use.
        let rows = run.fetch_all(sqlx::query_with(statement, arguments).persistent(false)).await;
        rows.map_err(|failure| self.failure(failure.reason, &failure.message))
    }

    fn arguments(&self, context: &Context<'_>) -> Result<PgArguments, Failure> {
        (self.arguments)(context).map_err(|error| self.failure(Reason::Other, &error.to_string()))
    }

    /// Returns a failure that names the query.
    pub(crate) fn failure(&self, reason: Reason, message: &str) -> Failure {
        Failure::new(reason, format!("{}: {message}", self.sql.name))
    }

    /// Returns the first usable fallback of each table that is replaced.
    fn used_fallbacks(&self, schema: &Schema) -> Vec<&'static Fallback> {
        let is_replaced = |need| self.is_replaced(need, schema);
        let mut used: Vec<&Fallback> = Vec::new();
        for fallback in self.fallbacks {
            let is_used = fallback.instead_of.is_empty() || fallback.instead_of.iter().any(is_replaced);
            // The statement of a pass has another fallback where what this one reads is replaced too.
            let is_usable = self.pass.is_none() || !fallback.needs.iter().any(is_replaced);
            if is_used && is_usable && !used.iter().any(|other| other.table == fallback.table) {
                used.push(fallback);
            }
        }
        used
    }

    /// Whether the statement is written without this need: because it is missing, or because it may not be read and the
    /// statement is that of a pass. The queries that need it are then not fed.
    pub(crate) fn is_replaced(&self, need: &Need, schema: &Schema) -> bool {
        schema.is_missing(need) || self.pass.is_some() && schema.lack(need).is_some()
    }
}
