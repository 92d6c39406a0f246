//! Runs a listing page by page: in one transaction, or in one for each group of queues if one transaction must not lock
//! the partitions of all queues.
//!
//! The database merges the rows of each group with those of the groups before, because it orders text by its own
//! collation. After each group only the rows that the page needs are kept. Each group is read at its own instant.

use sqlx::AssertSqlSafe;
use sqlx::postgres::PgArguments;

use super::fetch::{Fetched, as_json, decode, json_texts, with_name};
use super::{Reader, set_time_zone, with_advice};
use crate::collect::collector::{Division, Query};
use crate::collect::division::{Parents, Slice, Transactions, slices};
use crate::inspect::bind::bind;
use crate::inspect::listing::Listing;
use crate::inspect::options::ListOptions;
use crate::inspect::scope::Partitions;
use crate::postgres::{Connection, Failure};
use crate::schema::Schema;
use crate::terminal::columns::{Kind, Rows};

/// Binds a listing's parameters after those of its page. The second argument is the queues of a group, or `None` if the
/// statement covers all queues.
pub(in crate::inspect) type BindFilters<'a> =
    &'a (dyn Fn(&mut PgArguments, Option<&[String]>) -> Result<(), Failure> + Sync);

/// How the rows of two groups of queues are merged.
#[derive(Debug, Clone, Copy)]
pub(in crate::inspect) enum Merge {
    /// All rows are kept, in the order at the end of the listing's own SQL.
    Rows,
    /// A statement returns the merged rows in its column `line`. It reads the rows of both from `part`, which has the
    /// listing's columns and `line`, the JSON object of the row. $3 is how many rows to return.
    Sql(&'static str),
}

/// A page of a listing. Its limit and offset are the first two parameters of the statement.
#[derive(Debug, Clone, Copy)]
pub(in crate::inspect) struct Page {
    pub(in crate::inspect) size: u32,
    /// 1 for the first page.
    pub(in crate::inspect) number: u32,
}

impl From<&ListOptions> for Page {
    fn from(options: &ListOptions) -> Self {
        Page { size: options.limit, number: options.page }
    }
}

impl Page {
    fn offset(self) -> i64 {
        i64::from(self.size) * i64::from(self.number.saturating_sub(1))
    }

    /// One row more than are shown, which tells whether a next page exists.
    fn limit(self) -> i64 {
        i64::from(self.size) + 1
    }

    /// How many rows there are up to the page's end.
    fn end(self) -> i64 {
        self.offset() + self.limit()
    }
}

impl Reader<'_> {
    /// Returns a page of a listing, or all rows.
    ///
    /// # Errors
    /// If the query cannot run here or fails. The message begins with the query's name.
    pub(in crate::inspect) async fn fetch_page(
        &mut self,
        listing: &'static Listing,
        merge: Merge,
        page: Option<Page>,
        bind_filters: BindFilters<'_>,
    ) -> Result<Rows, Failure> {
        let mut rows = if self.is_grouped(&listing.query) {
            let mut rows = self.fetch_groups(listing, merge, page, bind_filters).await?;
            let offset = page.map_or(0, |page| usize::try_from(page.offset()).unwrap_or(usize::MAX));
            rows.rows.drain(..offset.min(rows.rows.len()));
            rows
        } else {
            if matches!(self.partitions, Partitions::InGroups) {
                // Locks are held until the end of the transaction, so those of earlier statements would add up.
                self.end_transaction().await;
            }
            let mut arguments = PgArguments::default();
            if let Some(page) = page {
                bind(&mut arguments, page.limit())?;
                bind(&mut arguments, page.offset())?;
            }
            bind_filters(&mut arguments, None)?;
            self.fetch(listing, arguments).await?
        };
        if let Some(page) = page {
            rows.more = rows.rows.len() > page.size as usize;
            rows.rows.truncate(page.size as usize);
        }
        Ok(rows)
    }

    /// Returns a page of a listing, or why there is none.
    ///
    /// # Errors
    /// If the connection fails.
    pub(in crate::inspect) async fn try_fetch_page(
        &mut self,
        listing: &'static Listing,
        page: Option<Page>,
        bind_filters: BindFilters<'_>,
    ) -> Result<Fetched, Failure> {
        if self.is_missing(&listing.query) {
            return Ok(Fetched::Missing);
        }
        let is_grouped = matches!(self.partitions, Partitions::InGroups);
        if !is_grouped {
            self.execute("SAVEPOINT listing").await?;
        }
        let rows = self.fetch_page(listing, Merge::Rows, page, bind_filters).await;
        if rows.is_err() && is_grouped {
            self.end_transaction().await;
        }
        self.recover(rows).await
    }

    /// Whether the query takes a transaction for each group of queues.
    fn is_grouped(&self, query: &Query) -> bool {
        matches!(self.partitions, Partitions::InGroups) && query.is_divided(&self.schema)
    }

    /// Returns the rows up to the page's end.
    async fn fetch_groups(
        &mut self,
        listing: &'static Listing,
        merge: Merge,
        page: Option<Page>,
        bind_filters: BindFilters<'_>,
    ) -> Result<Rows, Failure> {
        self.may_run(&listing.query)?;
        if self.matches_nothing {
            return Ok(Rows::default());
        }
        self.end_transaction().await;
        let mut transactions = Transactions::new(&mut self.session, &self.schema);
        let limit = page.map(Page::end);
        let grouped = GroupedListing { listing, merge, limit, bind_filters };
        let fetched = grouped.fetch(&mut transactions, &self.schema, self.timezone).await;
        self.spent += transactions.busy;
        let (texts, groups) = fetched?;
        self.transactions = self.transactions.max(groups);
        decode(listing, &texts)
    }
}

/// A listing that is read for one group of queues after another.
struct GroupedListing<'a> {
    listing: &'static Listing,
    merge: Merge,
    /// How many rows are needed; `None` for all.
    limit: Option<i64>,
    bind_filters: BindFilters<'a>,
}

impl GroupedListing<'_> {
    /// Returns the merged rows of all groups as JSON objects, and how many groups there are.
    async fn fetch(
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
                let rows = self.fetch_group(connection, schema, slice).await?;
                match kept {
                    Some(kept) => self.merge(connection, schema, kept, rows).await,
                    None => Ok(rows),
                }
            });
            merged = Some(rows.await?);
        }
        Ok((merged.unwrap_or_default(), slices.len()))
    }

    /// Returns the rows of one group as JSON objects.
    async fn fetch_group(
        &self,
        connection: &mut Connection,
        schema: &Schema,
        slice: &Slice,
    ) -> Result<Vec<String>, Failure> {
        let query = &self.listing.query;
        let mut arguments = PgArguments::default();
        if let Some(limit) = self.limit {
            bind(&mut arguments, limit)?;
            bind(&mut arguments, 0_i64)?;
        }
        (self.bind_filters)(&mut arguments, Some(&slice.own))?;
        let text = query.text_of_queues(schema, &mut arguments, &slice.read)?;
        // Safe, because the statement consists of our own files and the quoted schema.
        let statement = AssertSqlSafe(as_json(schema, &text));
        let rows = connection.fetch_all(sqlx::query_with(statement, arguments).persistent(false)).await;
        json_texts(&rows.map_err(|failure| with_name(query, with_advice(failure)))?)
    }

    async fn merge(
        &self,
        connection: &mut Connection,
        schema: &Schema,
        kept: Vec<String>,
        more: Vec<String>,
    ) -> Result<Vec<String>, Failure> {
        // Safe, because the statement consists of our own files.
        let statement = AssertSqlSafe(self.merge.statement(self.listing, schema));
        let statement = sqlx::query(statement).bind(kept).bind(more).bind(self.limit).persistent(false);
        let rows = connection.fetch_all(statement).await;
        json_texts(&rows.map_err(|failure| with_name(&self.listing.query, with_advice(failure)))?)
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
select {} as json from (\n{merged}\n) as merged",
            fields.join(", "),
            schema.sent("line")
        )
    }
}

/// Returns the `order by` clause at the end of a listing's SQL, or an empty string.
fn order(sql: &str) -> String {
    let order = sql.rsplit_once("\norder by ").and_then(|(_, end)| end.split("\nlimit ").next());
    order.map_or_else(String::new, |order| format!("order by {order}"))
}

/// Returns the SQL type of a column's values.
fn data_type(kind: Kind) -> &'static str {
    match kind {
        Kind::Id => "uuid",
        Kind::Text | Kind::State => "text",
        Kind::Number | Kind::Duration | Kind::Bar => "numeric",
        Kind::Time => "timestamptz",
    }
}
