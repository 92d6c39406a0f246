//! The maintenance page's monitoring queries, unchanged, for comparison.

use std::time::Instant;

use sqlx::PgConnection;

use crate::median;

/// Names of the queries and their SQL.
pub(crate) const PAGE: [(&str, &str); 4] = [
    (
        "job statistics",
        "SELECT state, COUNT(*) as count FROM marie_scheduler.job GROUP BY state ORDER BY count DESC",
    ),
    (
        "stuck jobs",
        "SELECT * FROM marie_scheduler.job WHERE state = 'active' AND started_on < NOW() - INTERVAL '1 hour'",
    ),
    (
        "retry analysis",
        "SELECT name, AVG(retry_count) as avg_retries, MAX(retry_count) as max_retries, COUNT(*) as total_jobs \
         FROM marie_scheduler.job WHERE retry_count > 0 GROUP BY name ORDER BY avg_retries DESC",
    ),
    (
        "throughput",
        "SELECT DATE_TRUNC('hour', completed_on) as hour, COUNT(*) as completed_jobs FROM marie_scheduler.job \
         WHERE state = 'completed' AND completed_on > NOW() - INTERVAL '24 hours' \
         GROUP BY DATE_TRUNC('hour', completed_on) ORDER BY hour",
    ),
];

/// Returns the median seconds of each query, after one run to warm up.
pub(crate) async fn measure(connection: &mut PgConnection) -> anyhow::Result<Vec<f64>> {
    let mut times = vec![Vec::new(); PAGE.len()];
    for _ in 0..4 {
        for (seconds, (_, sql)) in times.iter_mut().zip(PAGE) {
            let started = Instant::now();
            sqlx::query(sql).fetch_all(&mut *connection).await?;
            seconds.push(started.elapsed().as_secs_f64());
        }
    }
    Ok(times.into_iter().map(|seconds| median(seconds[1..].to_vec())).collect())
}
