//! Measures what monitoring costs the database and what a scrape costs the exporter; prints figures and asserts nothing.
//!
//! `cargo bench --bench load` takes about fifteen minutes and 15 GB of temporary disk;
//! `cargo bench --bench load -- 100000 500000` compares smaller histories.
//!
//! All histories have the same unfinished jobs: 10,000 in 2,000 DAGs. The shape is `mid`, the most common one, with
//! partitions and the indexes of production.

#![expect(clippy::print_stdout, reason = "the program prints its results")]

mod compare;
mod database;
mod footprint;
mod paces;
mod page;

use anyhow::Context;
use marie_exporter::demo::server::Server;

fn main() -> anyhow::Result<()> {
    let sizes: Vec<u64> = std::env::args()
        .skip(1)
        .filter(|argument| argument != "--bench")
        .map(|size| size.parse())
        .collect::<Result<_, _>>()
        .context("sizes are numbers of jobs")?;
    let sizes = if sizes.is_empty() { vec![1_000_000, 5_000_000] } else { sizes };
    let server = Server::start_with(&[
        ("shared_buffers", "2GB"),
        ("max_wal_size", "16GB"),
        ("autovacuum", "off"),
        ("maintenance_work_mem", "1GB"),
        ("max_locks_per_transaction", "1024"),
    ])?;
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(footprint::measure(&server))?;
    runtime.block_on(compare::measure(&server, &sizes))
}

/// Returns the median.
fn median(mut seconds: Vec<f64>) -> f64 {
    seconds.sort_by(f64::total_cmp);
    seconds[seconds.len() / 2]
}
