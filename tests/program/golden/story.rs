//! A database that holds the data set of the golden output.

use std::time::{Duration, SystemTime};

use marie_exporter::demo::server::Server;
use marie_exporter::demo::shape::Shape;
use once_cell::sync::Lazy;
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tokio::sync::OnceCell;

use crate::support::process::{output, text};

/// A server for all golden output. It asks for passwords, so that a wrong one is refused.
static SERVER: Lazy<Server> = Lazy::new(|| Server::start_guarded().expect("PostgreSQL can be started"));

/// The name of a database with the tables, and with the role `marie_exporter` that `grants` prints.
static TEMPLATE: OnceCell<&str> = OnceCell::const_new();

pub(super) struct Story {
    /// The URL of the database's owner.
    pub(super) owner: String,
    /// The URL of the role `marie_exporter`.
    pub(super) reader: String,
    /// The data set's `now`.
    pub(super) now: SystemTime,
    admin: PgConnection,
}

impl Story {
    /// Fills a new database. Because each test has its own database, golden files show the name `marie` for all of them.
    pub(super) async fn new(test: &str) -> Self {
        let template = TEMPLATE.get_or_init(make_template).await;
        let name = format!("marie_of_{test}");
        let mut server =
            PgConnection::connect(&SERVER.url("postgres")).await.expect("the server takes connections");
        run(&mut server, &format!("create database {name} template {template}")).await;
        let owner = SERVER.url(&name);
        let mut admin = PgConnection::connect(&owner).await.expect("the database takes connections");
        let mut fill = admin.begin().await.expect("a transaction begins");
        run(&mut fill, "set search_path = marie_scheduler, pg_catalog").await;
        run(&mut fill, include_str!("story.sql")).await;
        let seconds: i64 = sqlx::query_scalar("select floor(extract(epoch from now()))::bigint")
            .fetch_one(&mut *fill)
            .await
            .expect("the server knows the time");
        fill.commit().await.expect("the data set is kept");
        run(&mut admin, "analyze").await;
        let seconds = u64::try_from(seconds).expect("it is after 1970");
        let (_, place) = owner.rsplit_once('@').expect("the URL has a password");
        let reader = format!("postgres://marie_exporter:secret@{place}");
        Story { reader, owner, now: SystemTime::UNIX_EPOCH + Duration::from_secs(seconds), admin }
    }

    /// Runs statements as a superuser.
    pub(super) async fn admin_runs(&mut self, sql: &str) {
        run(&mut self.admin, sql).await;
    }
}

async fn make_template() -> &'static str {
    let name = "template_of_stories";
    let url = SERVER.create_database(name).await.expect("a database can be made");
    let mut admin = PgConnection::connect(&url).await.expect("the database takes connections");
    Shape::New.install(&mut admin, "marie_scheduler").await.expect("the shape can be installed");
    let grants = output(&["grants", "--database-url", &url]);
    assert!(grants.status.success(), "{}", text(&grants.stderr));
    run(&mut admin, &text(&grants.stdout)).await;
    run(&mut admin, "alter role marie_exporter password 'secret'").await;
    admin.close().await.expect("the session ends");
    name
}

async fn run(session: &mut PgConnection, sql: &str) {
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(session).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
}
