//! Answers a listing in one transaction, or in one for each group of queues where a transaction must not lock the
//! partitions of all queues.
//!
//! The rows of two groups are merged by the database, in the group's transaction, because only the database orders text
//! by its own rules. After each group no more rows are kept than the page needs. Each group is of an instant of its own.

use sqlx::AssertSqlSafe;
use sqlx::postgres::PgArguments;

use super::listed::{as_json, named, rows_of, texts};
use super::{Part, Reader, advised, set_time_zone};
use crate::collect::collector::{Division, Query};
use crate::collect::division::{Parents, Slice, Transactions, slices};
use crate::inspect::args::Output;
use crate::inspect::arguments::add;
use crate::inspect::listing::Listing;
use crate::inspect::scope::Reach;
use crate::postgres::{Connection, Failure};
use crate::schema::Schema;
use crate::terminal::columns::{Kind, Rows};

/// Adds a listing's arguments behind those of its page. The second parameter is the queues of a group, or `None` if the
/// answer is for all queues. A listing that reads jobs of other queues too returns rows of these queues only.
pub(in crate::inspect) type Filters<'a> =
    &'a (dyn Fn(&mut PgArguments, Option<&[String]>) -> Result<(), Failure> + Sync);

/// How the rows of two groups of queues become those of both.
#[derive(Debug, Clone, Copy)]
pub(in crate::inspect) enum Merge {
    /// All rows, in the order at the end of the listing's own SQL.
    Rows,
    /// The column `line` of a statement over the rows of both, a common table expression `part` with the listing's columns
    /// and `line`, the JSON object of each row. Its parameter $3 is how many rows.
    Sql(&'static str),
}

/// Which rows of a listing are shown. Its first two arguments are how many, one more than are shown, and from which on.
#[derive(Debug, Clone, Copy)]
pub(in crate::inspect) struct Page {
    pub(in crate::inspect) size: u32,
    /// The first is 1.
    pub(in crate::inspect) number: u32,
}

impl From<&Output> for Page {
    fn from(output: &Output) -> Self {
        Page { size: output.limit, number: output.page }
    }
}

impl Page {
    fn offset(self) -> i64 {
        i64::from(self.size) * i64::from(self.number.saturating_sub(1))
    }

    /// One row more than are shown.
    fn limit(self) -> i64 {
        i64::from(self.size) + 1
    }

    /// The rows up to the page's end.
    fn all_before(self) -> i64 {
        self.offset() + self.limit()
    }
}

impl Reader<'_> {
    /// Returns a page of a listing, or all of its rows.
    ///
    /// # Errors
    /// Any failure of the database, led by the query's name; what it lacks, or our role.
    pub(in crate::inspect) async fn page(
        &mut self,
        listing: &'static Listing,
        merge: Merge,
        page: Option<Page>,
        filters: Filters<'_>,
    ) -> Result<Rows, Failure> {
        let mut rows = if self.is_grouped(&listing.query) {
            let mut rows = self.rows_of_groups(listing, merge, page, filters).await?;
            let offset = page.map_or(0, |page| usize::try_from(page.offset()).unwrap_or(usize::MAX));
            rows.rows.drain(..offset.min(rows.rows.len()));
            rows
        } else {
            if matches!(self.reach, Reach::Groups) {
                // What earlier statements have locked would add up.
                self.end_transaction().await;
            }
            let mut arguments = PgArguments::default();
            if let Some(page) = page {
                add(&mut arguments, page.limit())?;
                add(&mut arguments, page.offset())?;
            }
            filters(&mut arguments, None)?;
            self.rows(listing, arguments).await?
        };
        if let Some(page) = page {
            rows.more = rows.rows.len() > page.size as usize;
            rows.rows.truncate(page.size as usize);
        }
        Ok(rows)
    }

    /// Returns the same as one part of an answer, whose other parts can do without it.
    ///
    /// # Errors
    /// Where the database is gone, and with it the other parts.
    pub(in crate::inspect) async fn part_of_page(
        &mut self,
        listing: &'static Listing,
        page: Option<Page>,
        filters: Filters<'_>,
    ) -> Result<Part, Failure> {
        if self.is_missing(&listing.query) {
            return Ok(Part::NotHere);
        }
        if !matches!(self.reach, Reach::Groups) {
            self.execute("SAVEPOINT part").await?;
        }
        let rows = self.page(listing, Merge::Rows, page, filters).await;
        if rows.is_err() && matches!(self.reach, Reach::Groups) {
            self.end_transaction().await;
        }
        self.part_of(rows).await
    }

    /// Whether the answer takes a transaction for each group of queues.
    fn is_grouped(&self, query: &Query) -> bool {
        matches!(self.reach, Reach::Groups) && query.is_divided(&self.schema)
    }

    /// Returns the rows up to the page's end.
    async fn rows_of_groups(
        &mut self,
        listing: &'static Listing,
        merge: Merge,
        page: Option<Page>,
        filters: Filters<'_>,
    ) -> Result<Rows, Failure> {
        self.may_run(&listing.query)?;
        if self.matches_nothing {
            return Ok(Rows::default());
        }
        self.end_transaction().await;
        let mut transactions = Transactions::new(&mut self.session, &self.schema);
        let question = Question { listing, merge, limit: page.map(Page::all_before), filters };
        let answer = question.ask(&mut transactions, &self.schema, self.timezone).await;
        self.spent += transactions.busy;
        let (lines, groups) = answer?;
        self.transactions = self.transactions.max(groups);
        rows_of(listing, &lines)
    }
}

struct Question<'a> {
    listing: &'static Listing,
    merge: Merge,
    /// How many rows are needed; all where there is none.
    limit: Option<i64>,
    filters: Filters<'a>,
}

impl Question<'_> {
    /// Returns the rows of all groups, merged, and how many groups there are.
    async fn ask(
        &self,
        transactions: &mut Transactions<'_>,
        schema: &Schema,
        timezone: &str,
    ) -> Result<(Vec<String>, usize), Failure> {
        let parents = match self.listing.query.division {
            Division::ByQueueWithParents => Parents::Read,
            _ => Parents::Skip,
        };
        let mut slices = slices(transactions, &self.listing.query, parents).await?;
        if slices.is_empty() {
            slices.push(Slice::default());
        }
        let mut merged: Option<Vec<String>> = None;
        for slice in &slices {
            let kept = merged.take();
            let rows = transactions.run_for_values(async |connection| {
                set_time_zone(connection, timezone).await?;
                let rows = self.rows_of(connection, schema, slice).await?;
                match kept {
                    Some(kept) => self.merged(connection, schema, kept, rows).await,
                    None => Ok(rows),
                }
            });
            merged = Some(rows.await?);
        }
        Ok((merged.unwrap_or_default(), slices.len()))
    }

    /// Returns the rows of one group, as JSON objects.
    async fn rows_of(
        &self,
        connection: &mut Connection,
        schema: &Schema,
        slice: &Slice,
    ) -> Result<Vec<String>, Failure> {
        let query = &self.listing.query;
        let mut arguments = PgArguments::default();
        if let Some(limit) = self.limit {
            add(&mut arguments, limit)?;
            add(&mut arguments, 0_i64)?;
        }
        (self.filters)(&mut arguments, Some(&slice.own))?;
        let text = query.text_of_queues(schema, &mut arguments, &slice.read)?;
        // Safe, because nothing but our own files and the quoted schema goes into it.
        let statement = AssertSqlSafe(as_json(schema, &text));
        let found = connection.fetch_all(sqlx::query_with(statement, arguments).persistent(false)).await;
        texts(&found.map_err(|failure| named(query, advised(failure)))?)
    }

    async fn merged(
        &self,
        connection: &mut Connection,
        schema: &Schema,
        kept: Vec<String>,
        more: Vec<String>,
    ) -> Result<Vec<String>, Failure> {
        // Safe, because nothing but our own files goes into it.
        let statement = AssertSqlSafe(self.merge.statement(self.listing, schema));
        let statement = sqlx::query(statement).bind(kept).bind(more).bind(self.limit).persistent(false);
        let found = connection.fetch_all(statement).await;
        texts(&found.map_err(|failure| named(&self.listing.query, advised(failure)))?)
    }
}

impl Merge {
    fn statement(self, listing: &Listing, schema: &Schema) -> String {
        let fields: Vec<String> = listing
            .columns
            .iter()
            .map(|column| format!("{} {}", column.name, data_type(column.kind)))
            .collect();
        let merged = match self {
            Merge::Sql(sql) => sql.to_owned(),
            Merge::Rows => format!("select line from part {} limit $3", order(listing.query.sql.text)),
        };
        format!(
            "with part as (
    select listed.line, field.*
    from unnest($1::text[] || $2::text[]) as listed (line)
    cross join lateral json_to_record(listed.line::json) as field ({})
)
select {} as listed from (\n{merged}\n) as merged",
            fields.join(", "),
            schema.sent("line")
        )
    }
}

/// Returns the order of a listing's rows, with which its SQL ends before the limit; nothing where they have none.
fn order(sql: &str) -> String {
    let order = sql.rsplit_once("\norder by ").and_then(|(_, end)| end.split("\nlimit ").next());
    order.map_or_else(String::new, |order| format!("order by {order}"))
}

/// Returns the type of a column's values in SQL.
fn data_type(kind: Kind) -> &'static str {
    match kind {
        Kind::Id => "uuid",
        Kind::Text | Kind::State => "text",
        Kind::Number | Kind::Duration | Kind::Bar => "numeric",
        Kind::Time => "timestamptz",
    }
}
