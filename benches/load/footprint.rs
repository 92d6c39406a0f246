//! Measures the exporter with 50, 100 and 200 queues: the pulse over that many partitions, the time until the binary is
//! ready, the time of a scrape, and the memory after an event of each queue was counted.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context;
use marie_exporter::collect::pace::Pace;
use marie_exporter::demo::server::Server;
use sqlx::PgConnection;

use crate::{database, median, paces};

const ADDRESS: &str = "127.0.0.1:10199";

pub(crate) async fn measure(server: &Server) -> anyhow::Result<()> {
    for count in [50, 100, 200] {
        let name = format!("queues_{count}");
        let queues: Vec<String> = (0..count).map(|number| format!("queue-{number}")).collect();
        let mut connection = database::create(server, &name, &queues).await?;
        sqlx::raw_sql(include_str!("queues.sql")).execute(&mut connection).await?;
        database::settle(&mut connection).await?;
        let url = server.url(&name);
        let pulse = paces::measure(&url, Pace::Pulse).await?;
        println!(
            "{count} queues and as many twins ({} partitions): reading the schema takes {:.0} ms, the first pulse, which \
             plans, {:.0} ms, later ones {:.0} ms",
            count * 2,
            pulse.schema * 1e3,
            pulse.first * 1e3,
            pulse.median * 1e3
        );
        Exporter::start(&url)?.report(count, &mut connection).await?;
    }
    Ok(())
}

/// Running binary, killed when dropped.
struct Exporter(Child, Instant);

impl Exporter {
    fn start(url: &str) -> anyhow::Result<Self> {
        let child = Command::new(env!("CARGO_BIN_EXE_marie-exporter"))
            .args(["serve", "--web.listen-address", ADDRESS, "--events.new-series-hold=0s"])
            .env("DATABASE_URL", url)
            .stderr(Stdio::null())
            .spawn()
            .context("cannot start marie-exporter")?;
        Ok(Exporter(child, Instant::now()))
    }

    async fn report(&self, queues: usize, connection: &mut PgConnection) -> anyhow::Result<()> {
        self.until("it is ready", || get("/-/ready").is_ok_and(|answer| answer.starts_with("HTTP/1.1 200")))
            .await?;
        let ready = self.1.elapsed();
        sqlx::raw_sql(include_str!("finishes.sql")).execute(connection).await?;
        let all = format!("{} events are counted", queues * 2);
        self.until(&all, || get("/metrics").is_ok_and(|page| finishes(&page) == queues * 2)).await?;
        let mut times = Vec::new();
        let mut bytes = 0;
        for _ in 0..200 {
            let started = Instant::now();
            bytes = get("/metrics")?.len();
            times.push(started.elapsed().as_secs_f64());
        }
        println!(
            "{queues} queues: ready in {:.2} s; with an event of each queue counted a scrape of {bytes} bytes takes {:.2} ms \
             from connect to last byte; resident memory {} (peak {})",
            ready.as_secs_f64(),
            median(times) * 1e3,
            self.memory("VmRSS:")?,
            self.memory("VmHWM:")?
        );
        Ok(())
    }

    async fn until(&self, what: &str, holds: impl Fn() -> bool) -> anyhow::Result<()> {
        let started = Instant::now();
        while !holds() {
            anyhow::ensure!(started.elapsed() < Duration::from_mins(3), "timed out: {what}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Ok(())
    }

    fn memory(&self, key: &str) -> anyhow::Result<String> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.0.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix(key)).unwrap_or_default();
        Ok(line.trim().to_owned())
    }
}

impl Drop for Exporter {
    fn drop(&mut self) {
        // The process may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn get(path: &str) -> anyhow::Result<String> {
    let mut stream = TcpStream::connect(ADDRESS)?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {ADDRESS}\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

/// Returns how many finishes a page of metrics has counted.
fn finishes(page: &str) -> usize {
    let samples = page.lines().filter(|line| line.starts_with("marie_jobs_finished_total{"));
    samples.filter_map(|line| line.rsplit_once(' ')?.1.parse::<usize>().ok()).sum()
}
