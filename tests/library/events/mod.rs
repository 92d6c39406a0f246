//! The event counter on a real PostgreSQL: transactions that overlap, commit late and roll back, a process that is killed,
//! histories that are truncated, purged and restored. Every total must equal the oracle in `truth`.

mod backlog;
mod counting;
mod exactly_once;
mod history;
mod holds;
mod kills;
mod open_transactions;
mod repetitions;
mod rewrites;
mod series;
mod state_file;
mod truth;
mod writers;

use marie_exporter::demo::server::Server;
use marie_exporter::demo::shape::Shape;
use once_cell::sync::Lazy;

use crate::support::databases::Database;

/// Server of the tests with open transactions, which delay the counting of events in all of its databases.
static BUSY_SERVER: Lazy<Server> = Lazy::new(|| Server::start().expect("PostgreSQL can be started"));

/// Server of the other tests of events.
static QUIET_SERVER: Lazy<Server> = Lazy::new(|| Server::start().expect("PostgreSQL can be started"));

async fn new_database(shape: Shape) -> Database {
    Database::on_server(&QUIET_SERVER, shape).await
}

async fn new_busy_database(shape: Shape) -> Database {
    Database::on_server(&BUSY_SERVER, shape).await
}
