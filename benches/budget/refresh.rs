//! The scheduler's refresh: each minute it updates all jobs that are not completed, and the trigger writes their history.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use sqlx::{Connection, PgConnection};
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval};

const INTERVAL: Duration = Duration::from_mins(1);

/// The refreshes of one measurement.
pub(crate) struct Refreshes {
    task: JoinHandle<()>,
    seconds: Arc<Mutex<Vec<f64>>>,
}

impl Refreshes {
    /// Starts the first refresh, and the next ones a minute apart, or later if a refresh takes longer.
    pub(crate) fn start(runtime: &Runtime, url: String) -> Self {
        let seconds = Arc::new(Mutex::new(Vec::new()));
        let record = Arc::clone(&seconds);
        let task = runtime.spawn(async move {
            if let Err(error) = repeat(&url, &record).await {
                eprintln!("the refresh ended: {error}");
            }
        });
        Refreshes { task, seconds }
    }

    /// Ends the refreshes and returns the seconds of each complete one.
    pub(crate) fn stop(self) -> Vec<f64> {
        self.task.abort();
        self.seconds.lock().clone()
    }
}

async fn repeat(url: &str, seconds: &Mutex<Vec<f64>>) -> anyhow::Result<()> {
    let mut connection = PgConnection::connect(url).await?;
    let mut ticks = interval(INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let started = Instant::now();
        sqlx::raw_sql("select marie_scheduler.refresh_job_priority()").execute(&mut connection).await?;
        seconds.lock().push(started.elapsed().as_secs_f64());
    }
}
