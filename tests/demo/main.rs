//! The throwaway server, the shapes and the simulated scheduler keep what they promise. One server
//! serves all of these tests but those that end one; each test has a database of its own.

#![allow(clippy::unwrap_used, reason = "clippy takes the tests' shared functions for production code")]

mod server;
mod shape;
mod simulator;

use marie_exporter::demo::server::Server;
use once_cell::sync::Lazy;
use sqlx::{Connection, PgConnection};

static SERVER: Lazy<Server> = Lazy::new(|| Server::start().unwrap());

async fn connect_to_new_database(name: &str) -> PgConnection {
    let url = SERVER.create_database(name).await.unwrap();
    PgConnection::connect(&url).await.unwrap()
}

async fn count(connection: &mut PgConnection, query: &'static str) -> i64 {
    sqlx::query_scalar(query).fetch_one(connection).await.unwrap()
}

/// Runs a script, all of it in one transaction.
async fn run(connection: &mut PgConnection, script: &'static str) {
    sqlx::raw_sql(script).execute(connection).await.unwrap();
}
