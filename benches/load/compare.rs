//! Compares one run of each pace and the page's queries between sizes of history, in one table.

use marie_exporter::collect::pace::Pace;
use marie_exporter::demo::server::Server;

use crate::paces::{self, Timed};
use crate::{database, page};

/// The paces that are compared. `cargo bench --bench events` measures events.
const PACES: [Pace; 3] = [Pace::Pulse, Pace::Backlog, Pace::History];

/// Results at one size.
struct Measured {
    jobs: u64,
    /// In the order of [`PACES`].
    paces: Vec<Timed>,
    /// Seconds of each of the page's queries.
    page: Vec<f64>,
}

pub(crate) async fn measure(server: &Server, sizes: &[u64]) -> anyhow::Result<()> {
    let queues = ["extract", "classify", "transform", "load", "gen5_extract"].map(str::to_owned);
    let mut connection = database::create(server, "history", &queues).await?;
    let url = server.url("history");
    let mut measured = Vec::new();
    let mut from = 0;
    for &jobs in sizes {
        database::grow(&mut connection, from, jobs, 0).await?;
        sqlx::raw_sql("checkpoint").execute(&mut connection).await?;
        let mut paces = Vec::new();
        for pace in PACES {
            paces.push(paces::measure(&url, pace).await?);
        }
        measured.push(Measured { jobs, paces, page: page::measure(&mut connection).await? });
        from = jobs;
    }
    print(&measured);
    Ok(())
}

fn print(measured: &[Measured]) {
    let (Some(first), Some(last)) = (measured.first(), measured.last()) else { return };
    let heads = measured.iter().map(|at| format!("{} jobs | longest step | ÷ page", at.jobs));
    println!("\n| milliseconds at | {} | last ÷ first size |", heads.collect::<Vec<_>>().join(" | "));
    println!("|---|{}---:|", "---:|---:|---:|".repeat(measured.len()));
    for (index, pace) in PACES.iter().enumerate() {
        let cells = measured.iter().map(|at| {
            let Timed { median, longest_step, steps, .. } = at.paces[index];
            format!(
                "{:.1} | {:.1} of {steps} | {:.3}",
                median * 1e3,
                longest_step * 1e3,
                median / at.page.iter().sum::<f64>()
            )
        });
        println!(
            "| {} | {} | {:.2} |",
            pace.label(),
            cells.collect::<Vec<_>>().join(" | "),
            last.paces[index].median / first.paces[index].median
        );
    }
    let line = |name: &str, time: &dyn Fn(&Measured) -> f64| {
        let cells = measured.iter().map(|at| format!("{:.1} | | |", time(at) * 1e3));
        println!("| {name} | {} {:.2} |", cells.collect::<Vec<_>>().join(" "), time(last) / time(first));
    };
    line("the page's four queries", &|at| at.page.iter().sum());
    for (index, (name, _)) in page::PAGE.iter().enumerate() {
        line(name, &|at| at.page[index]);
    }
}
