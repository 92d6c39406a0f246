//! One PostgreSQL server for all tests of a binary, and a separate database for each test.

use std::sync::atomic::{AtomicU32, Ordering};

use marie_exporter::demo::server::Server;
use marie_exporter::demo::shape::Shape;
use once_cell::sync::Lazy;
use sqlx::{AssertSqlSafe, Connection, PgConnection};

pub(crate) static SERVER: Lazy<Server> = Lazy::new(|| Server::start().expect("PostgreSQL can be started"));

/// Drops all indexes of `job` but its primary key.
#[allow(dead_code, reason = "not every test binary uses it")]
pub(crate) const NO_INDEXES: &str = "do $$
    declare
        index regclass;
    begin
        for index in
            select indexrelid from pg_index where indrelid = 'job'::regclass and not indisunique
        loop
            execute format('drop index %s', index);
        end loop;
    end
    $$";

/// Database with the scheduler's tables, and a session of its owner.
pub(crate) struct Database {
    pub(crate) url: String,
    pub(crate) admin: PgConnection,
}

impl Database {
    /// Creates a database on the server that most tests of the binary share.
    pub(crate) async fn new(shape: Shape) -> Self {
        Self::on_server(&SERVER, shape).await
    }

    /// Creates a database on this server.
    pub(crate) async fn on_server(server: &Server, shape: Shape) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("marie_{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        let url = server.create_database(&name).await.expect("a database can be created");
        Database { admin: furnished(&url, shape).await, url }
    }

    /// Runs statements as the database's owner, the scheduler's schema in the search path.
    pub(crate) async fn run(&mut self, sql: &str) {
        run(&mut self.admin, sql).await;
    }

    /// Creates a role that may only read the scheduler's tables; returns its URL.
    pub(crate) async fn reader(&mut self, role: &str) -> String {
        self.run(&format!(
            "create role {role} login;
             grant usage on schema marie_scheduler to {role};
             grant select on all tables in schema marie_scheduler to {role}"
        ))
        .await;
        self.url.replace("postgres@", &format!("{role}@"))
    }

    /// Opens another session like `admin`.
    pub(crate) async fn session(&self) -> PgConnection {
        let mut session = PgConnection::connect(&self.url).await.expect("the database takes connections");
        run(&mut session, "set search_path = marie_scheduler, pg_catalog").await;
        session
    }
}

/// Runs statements in this session; panics with the statements if one fails.
pub(crate) async fn run(session: &mut PgConnection, sql: &str) {
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(session).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
}

/// Installs the shape with one DAG, the queue `extract` with one job, and the empty queue `idle`.
pub(crate) async fn furnished(url: &str, shape: Shape) -> PgConnection {
    let mut admin = PgConnection::connect(url).await.expect("the database takes connections");
    shape.install(&mut admin, "marie_scheduler").await.expect("the shape can be installed");
    if shape != Shape::Page {
        run(
            &mut admin,
            "select create_queue('extract', '{}'), create_queue('idle', '{}');
             insert into dag (id, name, state) values (md5('dag')::uuid, 'a dag', 'active');
             insert into job (id, name, state, started_on, dag_id)
             values (md5('job')::uuid, 'extract', 'active', now(), md5('dag')::uuid)",
        )
        .await;
    }
    admin
}
