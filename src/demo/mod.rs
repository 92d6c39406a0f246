//! A throwaway PostgreSQL with Marie-AI's scheduler tables and a simulated scheduler. `marie-exporter demo` shows it, and
//! the tests run against it.
//!
//! `server` starts the database, `shape` creates the tables, `simulator` writes the rows. No other part of the crate
//! depends on this one. Packages are built without the cargo feature `demo`, which includes it.

use std::io::Write;

use anyhow::Context;
use sqlx::{Connection, PgConnection};

use self::server::Server;
use self::shape::Shape;
use self::simulator::Simulator;
use crate::config::{Config, DatabaseUrl, DemoConfig, ListenAddress, Secret};
use crate::serve::serve;
use tokio_util::sync::CancellationToken;

pub mod server;
pub mod shape;
pub mod simulator;

/// `marie-exporter demo`: runs a database with a day of past jobs, a scheduler that continues from there, and the
/// exporter, until `shutdown` is cancelled. Then it removes all files.
///
/// # Errors
/// If the database cannot be started or the exporter cannot serve.
pub async fn run(mut config: Config, demo: DemoConfig, shutdown: CancellationToken) -> anyhow::Result<()> {
    say("Starting a throwaway PostgreSQL and writing a day of past jobs ...");
    let schema = config.database.schema.as_str().to_owned();
    let (server, url, mut simulator) = tokio::select! {
        prepared = prepare(&schema, demo.rate) => prepared?,
        () = shutdown.cancelled() => return Ok(()),
    };
    config.database.url = Some(DatabaseUrl::Given(Secret::from(server.socket_url("marie"))));
    for address in &config.web.listen_addresses {
        match address {
            ListenAddress::Tcp(address) => {
                say(&format!("metrics   http://{address}{}", config.web.telemetry_path));
                say(&format!("overview  http://{address}/"));
            }
            ListenAddress::Unix(_) => say(&format!("metrics   {address} {}", config.web.telemetry_path)),
        }
    }
    say(&format!("database  {url}"));
    say(&format!("Five queues, {} jobs a second. Ctrl-C ends it and leaves nothing behind.", demo.rate));
    let ended = shutdown.clone().cancelled_owned();
    let simulation = tokio::spawn(async move { simulator.run(ended).await });
    let outcome = serve(config, None, shutdown).await;
    simulation.abort();
    drop(server);
    outcome
}

async fn prepare(schema: &str, rate: f64) -> anyhow::Result<(Server, String, Simulator)> {
    let server = tokio::task::spawn_blocking(Server::start_guarded)
        .await
        .context("the task that starts PostgreSQL panicked")??;
    let url = server.create_database("marie").await.context("cannot make the demo's database")?;
    let mut connection =
        PgConnection::connect(&url).await.context("cannot connect to the demo's database")?;
    Shape::New.install(&mut connection, schema).await.context("cannot make the scheduler's tables")?;
    connection.close().await.context("cannot close the connection that made the tables")?;
    let mut simulator = Simulator::new(&url, schema, rate);
    simulator.past_day().await.context("cannot write the past jobs")?;
    Ok((server, url, simulator))
}

/// Prints a line. A closed pipe does not end the demo.
fn say(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}
