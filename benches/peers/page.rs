//! The maintenance page's monitoring queries for general-purpose exporters.
//!
//! Each query of the page is inside a SELECT that names the columns for labels and values.

pub(crate) struct Metric {
    pub(crate) name: &'static str,
    pub(crate) labels: &'static [&'static str],
    pub(crate) values: &'static [&'static str],
    pub(crate) query: &'static str,
}

pub(crate) const METRICS: [Metric; 4] = [
    Metric {
        name: "job_statistics",
        labels: &["state"],
        values: &["count"],
        query: "SELECT state::text AS state, count FROM (SELECT state, COUNT(*) as count FROM marie_scheduler.job \
                GROUP BY state ORDER BY count DESC) AS page",
    },
    Metric {
        name: "stuck_jobs",
        labels: &[],
        values: &["stuck"],
        query: "SELECT COUNT(*) AS stuck FROM (SELECT * FROM marie_scheduler.job WHERE state = 'active' \
                AND started_on < NOW() - INTERVAL '1 hour') AS page",
    },
    Metric {
        name: "retry_analysis",
        labels: &["name"],
        values: &["avg_retries", "max_retries", "total_jobs"],
        query: "SELECT name, avg_retries::float8 AS avg_retries, max_retries, total_jobs FROM (SELECT name, \
                AVG(retry_count) as avg_retries, MAX(retry_count) as max_retries, COUNT(*) as total_jobs FROM \
                marie_scheduler.job WHERE retry_count > 0 GROUP BY name ORDER BY avg_retries DESC) AS page",
    },
    Metric {
        name: "throughput",
        labels: &["hour"],
        values: &["completed_jobs"],
        query: "SELECT hour::text AS hour, completed_jobs FROM (SELECT DATE_TRUNC('hour', completed_on) as hour, COUNT(*) \
                as completed_jobs FROM marie_scheduler.job WHERE state = 'completed' AND completed_on > NOW() - \
                INTERVAL '24 hours' GROUP BY DATE_TRUNC('hour', completed_on) ORDER BY hour) AS page",
    },
];
