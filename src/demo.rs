//! A throwaway PostgreSQL with Marie-AI's scheduler tables and a simulated scheduler at work on
//! them: what `marie-exporter demo` shows and what the tests run against. Read `server` (the
//! database), `shape` (the tables), `simulator` (the rows) in this order. Nothing else in the crate
//! depends on it; packages leave it out with the cargo feature `demo`.

pub mod server;
pub mod shape;
pub mod simulator;

/// A name as an SQL identifier: any text, also one with quotes in it, names just one object.
fn quote_identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
