//! What one collector did in one lane, as its own counters told it from look to look.

use std::time::Instant;

use marie_exporter::collect::collector::{Collector, Lane, Query};
use marie_exporter::collect::collectors::COLLECTORS;
use marie_exporter::schema::Schema;

use crate::support::metrics::Metrics;

pub(crate) struct Track {
    pub(crate) collector: &'static Collector,
    pub(crate) lane: Lane,
    queries: Vec<&'static Query>,
    /// When each run had ended, and the seconds that the database had been busy by then.
    ends: Vec<(Instant, f64)>,
}

/// Of each collector in each lane in which it has a query here.
pub(crate) fn all(schema: &Schema) -> Vec<Track> {
    let tracks = Lane::ALL.into_iter().flat_map(|lane| {
        COLLECTORS.iter().map(move |&collector| {
            let here = |query: &&Query| query.lack(schema).is_none() && query.lane(schema) == lane;
            Track {
                collector,
                lane,
                queries: collector.queries.iter().filter(here).collect(),
                ends: Vec::new(),
            }
        })
    });
    tracks.filter(|track| !track.queries.is_empty()).collect()
}

impl Track {
    /// Notes a run that has ended since the last look.
    pub(crate) fn look(&mut self, metrics: &Metrics) {
        let labels = [("collector", self.collector.name), ("lane", self.lane.label())];
        #[expect(clippy::cast_precision_loss, reason = "runs are counted in hundreds")]
        if metrics.count("marie_collector_runs_total", &labels) > self.ends.len() as f64 {
            self.ends.push((Instant::now(), metrics.count("marie_database_busy_seconds_total", &labels)));
        }
    }

    pub(crate) fn runs(&self) -> usize {
        self.ends.len()
    }

    /// Seconds that the database was busy, by the exporter's own clock.
    pub(crate) fn busy(&self) -> f64 {
        self.ends.last().map_or(0.0, |(_, busy)| *busy)
    }

    /// The same of its queries, by the server's. A statement is told by the first line of its file.
    pub(crate) fn seconds(&self, statements: &[(String, f64)]) -> f64 {
        let first_lines: Vec<&str> =
            self.queries.iter().filter_map(|query| query.sql.text.lines().next()).collect();
        let own = statements.iter().filter(|(text, _)| first_lines.iter().any(|line| text.contains(line)));
        own.fold(0.0, |sum, (_, seconds)| sum + seconds)
    }

    /// The database's time for each time that passed, over whole rounds, which are a run and the pause that pays for it:
    /// from the start of the first run to that of the last.
    pub(crate) fn share(&self) -> Option<f64> {
        let (first_end, first) = *self.ends.first()?;
        let (_, before) = *self.ends.iter().rev().nth(1)?;
        let (last_end, all) = *self.ends.last()?;
        let passed = last_end.duration_since(first_end).as_secs_f64() + first - (all - before);
        Some(before / passed)
    }

    /// Seconds from run to run.
    pub(crate) fn median_interval(&self) -> Option<f64> {
        let pairs = self.ends.windows(2);
        let mut seconds: Vec<f64> =
            pairs.map(|pair| pair[1].0.duration_since(pair[0].0).as_secs_f64()).collect();
        seconds.sort_by(f64::total_cmp);
        seconds.get(seconds.len() / 2).copied()
    }
}
