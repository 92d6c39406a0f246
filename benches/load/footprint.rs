//! Measures the exporter with 50, 100 and 200 queues: a round over that many partitions, resident memory of the binary,
//! time until it is ready, and the time of a scrape.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context;
use marie_exporter::collect::collector::Lane;
use marie_exporter::demo::server::Server;
use sqlx::Connection;

use crate::{database, median, queries};

const ADDRESS: &str = "127.0.0.1:10199";

pub(crate) async fn measure(server: &Server) -> anyhow::Result<()> {
    for count in [50, 100, 200] {
        let name = format!("queues_{count}");
        let queues: Vec<String> = (0..count).map(|number| format!("queue-{number}")).collect();
        let mut connection = database::create(server, &name, &queues).await?;
        sqlx::raw_sql(include_str!("queues.sql")).execute(&mut connection).await?;
        database::settle(&mut connection).await?;
        connection.close().await?;
        let url = server.url(&name);
        let round = queries::round(&queries::config(&url)?, Lane::Fast).await?;
        println!(
            "{count} queues and as many twins ({} partitions): the first fast round, which plans, takes {:.0} ms, \
             later ones {:.0} ms",
            count * 2,
            round.first * 1e3,
            round.then.iter().map(|(_, seconds)| seconds).sum::<f64>() * 1e3
        );
        let exporter = Exporter::start(&url)?;
        exporter.report(count)?;
    }
    Ok(())
}

/// Running binary, killed when dropped.
struct Exporter(Child, Instant);

impl Exporter {
    fn start(url: &str) -> anyhow::Result<Self> {
        let child = Command::new(env!("CARGO_BIN_EXE_marie-exporter"))
            .args(["serve", "--web.listen-address", ADDRESS])
            .env("DATABASE_URL", url)
            .stderr(Stdio::null())
            .spawn()
            .context("cannot start marie-exporter")?;
        Ok(Exporter(child, Instant::now()))
    }

    fn report(&self, queues: usize) -> anyhow::Result<()> {
        while !get("/-/ready").is_ok_and(|answer| answer.starts_with("HTTP/1.1 200")) {
            anyhow::ensure!(self.1.elapsed() < Duration::from_mins(1), "not ready after a minute");
            std::thread::sleep(Duration::from_millis(5));
        }
        let ready = self.1.elapsed();
        let mut times = Vec::new();
        let mut bytes = 0;
        for _ in 0..200 {
            let started = Instant::now();
            bytes = get("/metrics")?.len();
            times.push(started.elapsed().as_secs_f64());
        }
        let memory = std::fs::read_to_string(format!("/proc/{}/status", self.0.id()))?;
        let memory = |key: &str| {
            memory
                .lines()
                .find_map(|line| Some(line.strip_prefix(key)?.trim().to_owned()))
                .unwrap_or_default()
        };
        println!(
            "{queues} queues: ready in {:.2} s; a scrape of {bytes} bytes takes {:.2} ms from connect to last byte; resident \
             memory {} (peak {})",
            ready.as_secs_f64(),
            median(times) * 1e3,
            memory("VmRSS:"),
            memory("VmHWM:")
        );
        Ok(())
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
