//! Tests of the demo's parts: the temporary server, the shapes and the simulated scheduler.
//!
//! The tests share one server, except those that stop it. Each test has a separate database.

mod server;
mod shape;
mod simulator;

use sqlx::{Connection, PgConnection};

use crate::support::databases::SERVER;

async fn connect_to_new_database(name: &str) -> PgConnection {
    let url = SERVER.create_database(name).await.unwrap();
    PgConnection::connect(&url).await.unwrap()
}

async fn count(connection: &mut PgConnection, query: &'static str) -> i64 {
    sqlx::query_scalar(query).fetch_one(connection).await.unwrap()
}

/// Runs a script in one transaction.
async fn run(connection: &mut PgConnection, script: &'static str) {
    sqlx::raw_sql(script).execute(connection).await.unwrap();
}
