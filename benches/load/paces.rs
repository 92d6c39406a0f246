//! Runs everything of one pace as the exporter does, in the same steps, and measures how long the steps take.

use std::sync::Arc;
use std::time::Instant;

use marie_exporter::cli::{self, Command};
use marie_exporter::collect::collector::{Collector, Context};
use marie_exporter::collect::collectors::COLLECTORS;
use marie_exporter::collect::division;
use marie_exporter::collect::pace::{Pace, PassKind};
use marie_exporter::collect::pass::Pass;
use marie_exporter::collect::queue_labels::{QueueInventory, QueueLabels};
use marie_exporter::collect::slice::SliceSize;
use marie_exporter::config::Config;
use marie_exporter::postgres::{Session, Transaction};
use marie_exporter::schema::Schema;

use crate::median;

/// Runs that plan statements and warm the cache.
const WARM_UP: usize = 2;
/// Runs that are measured.
const MEASURED: usize = 5;

/// How long the runs of one pace took, in seconds.
pub(crate) struct Timed {
    /// Reading the schema, before the first run.
    pub(crate) schema: f64,
    /// The first run, which plans every statement.
    pub(crate) first: f64,
    /// Median of the runs after the warm-up.
    pub(crate) median: f64,
    /// Longest step of the runs after the warm-up.
    pub(crate) longest_step: f64,
    /// Number of steps of the last run.
    pub(crate) steps: usize,
}

/// Runs a pace several times on one connection.
pub(crate) async fn measure(url: &str, pace: Pace) -> anyhow::Result<Timed> {
    let config = config(url)?;
    let mut session = Session::new(config.database.clone(), config.collectors.timeout);
    let started = Instant::now();
    let mut run = session.begin().await?;
    let schema = Schema::read(&mut run, &config.database.schema).await?;
    let schema_time = started.elapsed().as_secs_f64();
    let inventory = QueueInventory::read(&mut run, &schema, &config.queues).await?;
    session.finish(run, None).await;
    let pass = PassKind::ALL.into_iter().find(|kind| kind.pace() == pace);
    let mut runner = Runner {
        pace,
        pass: pass.map(|kind| (kind, kind.first_slice())),
        config: &config,
        session,
        schema: Arc::new(schema),
        inventory,
    };
    let mut runs = Vec::new();
    for _ in 0..WARM_UP + MEASURED {
        runs.push(runner.run().await?);
    }
    runner.session.close().await;
    let measured = &runs[WARM_UP..];
    let total = |steps: &Vec<f64>| steps.iter().sum::<f64>();
    Ok(Timed {
        schema: schema_time,
        first: total(&runs[0]),
        median: median(measured.iter().map(total).collect()),
        longest_step: measured.iter().flatten().copied().fold(0.0, f64::max),
        steps: measured.last().map_or(0, Vec::len),
    })
}

struct Runner<'a> {
    pace: Pace,
    /// The pass of the pace, with the size of its next slice.
    pass: Option<(PassKind, SliceSize)>,
    config: &'a Config,
    session: Session,
    schema: Arc<Schema>,
    inventory: QueueInventory,
}

impl Runner<'_> {
    /// Executes one run: the statements of each collector and the pass. Returns the seconds of each step, with those of
    /// beginning and ending its transaction. The first step reads the queue labels.
    async fn run(&mut self) -> anyhow::Result<Vec<f64>> {
        let started = Instant::now();
        let mut run = self.session.begin().await?;
        let queues = QueueLabels::read(&mut run, &self.schema, &self.inventory, &self.config.queues).await?;
        self.session.finish(run, None).await;
        let mut steps = vec![started.elapsed().as_secs_f64()];
        for collector in COLLECTORS {
            if collector.queries_at(self.pace, self.config, &self.schema).next().is_some() {
                let started = Instant::now();
                self.run_statements(collector, &queues).await?;
                steps.push(started.elapsed().as_secs_f64());
            }
        }
        if let Some((kind, slice)) = self.pass {
            let pass = Pass::begin(kind, Arc::clone(&self.schema), queues, slice);
            self.run_pass(pass, &mut steps).await?;
        }
        Ok(steps)
    }

    async fn run_statements(&mut self, collector: &Collector, queues: &QueueLabels) -> anyhow::Result<()> {
        let context = Context { config: self.config, schema: &self.schema, queues };
        if collector.fits_one_transaction(self.pace, self.config, &self.schema) {
            let mut run = self.session.begin().await?;
            collector.collect(self.pace, &mut run, &context, &mut Vec::new()).await?;
            self.session.finish(run, None).await;
        } else {
            for query in collector.queries_at(self.pace, self.config, &self.schema) {
                division::fetch(&mut self.session, query, &context).await?.parts?;
            }
        }
        Ok(())
    }

    async fn run_pass(&mut self, mut pass: Pass, steps: &mut Vec<f64>) -> anyhow::Result<()> {
        let mut is_complete = false;
        while !is_complete {
            let started = Instant::now();
            let reading = Transaction::reading(self.config.collectors.timeout);
            let transaction = Transaction { plans: pass.plans(), ..reading };
            let mut run = self.session.begin_with(&transaction).await?;
            is_complete = pass.step(&mut run, self.config).await?;
            self.session.finish(run, None).await;
            steps.push(started.elapsed().as_secs_f64());
        }
        // The next pass begins with this size, as in the exporter.
        self.pass = Some((pass.kind(), pass.slice_size()));
        Ok(())
    }
}

fn config(url: &str) -> anyhow::Result<Config> {
    let arguments = ["marie-exporter", "serve", "--database-url", url, "--collector.timeout", "10m"];
    match cli::parse(arguments.map(Into::into), |_| None, &[]) {
        Ok(Command::Serve(config)) => Ok(config),
        Ok(_) => anyhow::bail!("not the command serve"),
        Err(error) => Err(error.into()),
    }
}
