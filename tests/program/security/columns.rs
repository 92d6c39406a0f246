//! Each query reads exactly the columns that it declares. PostgreSQL decides: a role with exactly these rights can run the
//! query, and a role that lacks one of them cannot. `grants` prints the declared columns.

use std::sync::atomic::{AtomicU32, Ordering};

use marie_exporter::cli::{self, Command};
use marie_exporter::collect::collector::{Context, Query};
use marie_exporter::collect::pass;
use marie_exporter::collect::queue_labels::{self, QueueInventory, QueueLabels};
use marie_exporter::config::Config;
use marie_exporter::demo::shape::Shape;
use marie_exporter::inspect;
use marie_exporter::inspect::grants::Rights;
use marie_exporter::postgres::{Failure, Reason, Session};
use marie_exporter::schema::{Need, Schema};

use sqlx::{AssertSqlSafe, Row};

use crate::support::databases::Database;

/// A role without rights, its session, and the schema as a superuser reads it.
struct Reader {
    database: Database,
    role: String,
    config: Config,
    session: Session,
    schema: Schema,
    queues: QueueLabels,
}

fn config(url: &str) -> Config {
    let arguments = ["marie-exporter", "serve", "--database-url", url, "--dags.progress-limit=3"];
    match cli::parse(arguments.map(Into::into), |_| None, &[]) {
        Ok(Command::Serve(config)) => config,
        other => panic!("not serve: {other:?}"),
    }
}

/// Numbers the roles, which all databases of a server share.
static NUMBER: AtomicU32 = AtomicU32::new(0);

impl Reader {
    async fn new(shape: Shape) -> Self {
        let mut database = Database::new(shape).await;
        let role = format!("column_reader_{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        database
            .run(&format!("create role {role} login; grant usage on schema marie_scheduler to {role}"))
            .await;
        let name = config(&database.url).database.schema;
        let mut admin = marie_exporter::postgres::Connection::new(database.session().await);
        let schema = Schema::read(&mut admin, &name).await.unwrap();
        let config = config(&database.url.replace("postgres@", &format!("{role}@")));
        let session = Session::new(config.database.clone(), config.collectors.timeout);
        let queues = QueueLabels::new(["extract".to_owned()].into(), &[], &config.queues);
        Reader { database, role, config, session, schema, queues }
    }

    /// Grants or revokes the right to one column.
    async fn change(&mut self, change: &str, (table, column): (&str, &str)) {
        let preposition = if change == "grant" { "to" } else { "from" };
        let role = &self.role;
        self.database.run(&format!("{change} select ({column}) on {table} {preposition} {role}")).await;
    }

    async fn fetch(&mut self, query: &Query) -> Result<(), Failure> {
        let context = Context { config: &self.config, schema: &self.schema, queues: &self.queues };
        let mut run = self.session.begin().await?;
        let outcome = query.fetch(&mut run, &context).await;
        self.session.finish(run, outcome.as_ref().err()).await;
        outcome.map(drop)
    }

    /// Runs a reading command's query with NULL for each argument.
    async fn execute(&mut self, query: &Query) -> Result<(), Failure> {
        let name = format!("asked_{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        let prepare = AssertSqlSafe(format!("prepare {name} as {}", query.text(&self.schema)));
        let parameters = AssertSqlSafe(format!(
            "select cardinality(parameter_types) from pg_prepared_statements where name = '{name}'"
        ));
        let mut run = self.session.begin().await?;
        let outcome = async {
            run.execute(sqlx::raw_sql(prepare)).await?;
            let count: i32 = run.fetch_one(sqlx::raw_sql(parameters)).await?.try_get(0)?;
            let nulls = vec!["null"; usize::try_from(count).unwrap()].join(", ");
            let arguments = if nulls.is_empty() { nulls } else { format!("({nulls})") };
            let execute = AssertSqlSafe(format!("execute {name} {arguments}"));
            run.execute(sqlx::raw_sql(execute)).await
        };
        let outcome: Result<_, Failure> = outcome.await;
        self.session.finish(run, outcome.as_ref().err()).await;
        outcome.map(drop)
    }
}

fn columns(needs: impl IntoIterator<Item = &'static Need>) -> Vec<(&'static str, &'static str)> {
    let columns = needs.into_iter().filter_map(|need| match need {
        Need::Columns(table, columns) => Some(columns.iter().map(|column| (*table, *column))),
        Need::Table(_) | Need::Index(_) => None,
    });
    columns.flatten().collect()
}

/// Returns the queries of the collectors and of the reading commands.
fn queries() -> impl Iterator<Item = &'static Query> {
    pass::statements().chain(inspect::queries())
}

/// Returns whether the event counter reads this column although the query does not. For events of DAGs it also reads the
/// history of jobs.
fn is_asked_for_by_the_feed(query: &Query, column: (&str, &str)) -> bool {
    query.sql.name == "dag_events.sql" && column == ("job_history", "history_id")
}

async fn run_query(reader: &mut Reader, query: &'static Query) -> Result<(), Failure> {
    let is_an_operators = inspect::queries().any(|own| std::ptr::eq(own, query));
    if is_an_operators { reader.execute(query).await } else { reader.fetch(query).await }
}

async fn reads_just_what_it_says(reader: &mut Reader, query: &'static Query) {
    let columns = columns(query.needs_here(&reader.schema));
    for &column in &columns {
        reader.change("grant", column).await;
    }
    let place = format!("{} on {}", query.sql.name, reader.schema.shape());
    let outcome = run_query(reader, query).await;
    assert_eq!(outcome, Ok(()), "{place} reads more than {columns:?}");
    for &column in columns.iter().filter(|column| !is_asked_for_by_the_feed(query, **column)) {
        reader.change("revoke", column).await;
        let outcome = run_query(reader, query).await.map_err(|failure| failure.reason);
        assert_eq!(outcome, Err(Reason::Permission), "{place} does not read {column:?}");
        reader.change("grant", column).await;
    }
    for &column in &columns {
        reader.change("revoke", column).await;
    }
}

#[tokio::test]
async fn query_reads_exactly_its_declared_columns() {
    for shape in Shape::ALL {
        let mut reader = Reader::new(shape).await;
        let mut count = 0;
        for query in queries().filter(|query| query.lack(&reader.schema).is_none()).collect::<Vec<_>>() {
            reads_just_what_it_says(&mut reader, query).await;
            count += 1;
        }
        assert!(count > 20, "{count} queries run on {}", shape.name());
    }
}

#[tokio::test]
async fn queue_names_are_read_by_their_declared_columns() {
    for shape in Shape::ALL {
        let mut reader = Reader::new(shape).await;
        let here = |need: &&Need| !reader.schema.is_missing(need);
        let columns =
            columns([&queue_labels::NAMES_IN_QUEUE, &queue_labels::NAMES_IN_JOB].into_iter().filter(here));
        for &column in &columns {
            reader.change("grant", column).await;
        }
        let mut run = reader.session.begin().await.unwrap();
        let (schema, selection) = (&reader.schema, &reader.config.queues);
        let inventory = QueueInventory::read(&mut run, schema, selection).await.unwrap();
        let read = QueueLabels::read(&mut run, schema, &inventory, selection).await.unwrap();
        let known = if shape == Shape::Page { 0 } else { 2 };
        assert_eq!(read.known().len(), known, "{}", shape.name());
    }
}

#[tokio::test]
async fn grants_equal_the_columns_of_all_queries() {
    for shape in Shape::ALL {
        let mut reader = Reader::new(shape).await;
        let needed = Rights::needed(&reader.schema);
        let mut granted: Vec<_> = needed.columns().collect();
        let runs_here = queries().filter(|query| query.lack(&reader.schema).is_none());
        let mut read: Vec<_> =
            runs_here.flat_map(|query| columns(query.needs_here(&reader.schema))).collect();
        let here = |need: &&Need| !reader.schema.is_missing(need);
        read.extend(columns(
            [&queue_labels::NAMES_IN_QUEUE, &queue_labels::NAMES_IN_JOB].into_iter().filter(here),
        ));
        read.sort_unstable();
        read.dedup();
        granted.sort_unstable();
        assert_eq!(granted, read, "{}", shape.name());
        for private in ["data", "output", "serialized_dag", "serialized_dag_pickle", "branch_metadata"] {
            assert!(granted.iter().all(|(_, column)| *column != private), "{private} is granted");
        }
        // A role without rights gets the same SQL.
        let name = reader.config.database.schema.clone();
        let mut run = reader.session.begin().await.unwrap();
        let seen = Schema::read(&mut run, &name).await.unwrap();
        assert_eq!(seen.readable().count(), 0);
        assert_eq!(Rights::needed(&seen), needed);
    }
}
