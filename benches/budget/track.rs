//! Records the runs of one collector in one lane, from samples of its counters.

use std::time::Instant;

use marie_exporter::collect::collector::{Collector, Lane, Query};
use marie_exporter::collect::collectors::COLLECTORS;
use marie_exporter::schema::Schema;

use crate::support::metrics::Metrics;

pub(crate) struct Track {
    pub(crate) collector: &'static Collector,
    pub(crate) lane: Lane,
    queries: Vec<&'static Query>,
    /// The end of each run, and the seconds that the database had been busy until then.
    ends: Vec<(Instant, f64)>,
}

/// Returns a track for each collector and each lane in which it has a query with this schema.
pub(crate) fn tracks(schema: &Schema) -> Vec<Track> {
    let tracks = Lane::ALL.into_iter().flat_map(|lane| {
        COLLECTORS.iter().map(move |&collector| {
            let runs_in_lane = |query: &&Query| query.lack(schema).is_none() && query.lane(schema) == lane;
            Track {
                collector,
                lane,
                queries: collector.queries.iter().filter(runs_in_lane).collect(),
                ends: Vec::new(),
            }
        })
    });
    tracks.filter(|track| !track.queries.is_empty()).collect()
}

impl Track {
    /// Records a run that has ended since the last call.
    pub(crate) fn record(&mut self, metrics: &Metrics) {
        let labels = [("collector", self.collector.name), ("lane", self.lane.label())];
        #[expect(clippy::cast_precision_loss, reason = "runs are counted in hundreds")]
        if metrics.count("marie_collector_runs_total", &labels) > self.ends.len() as f64 {
            self.ends.push((Instant::now(), metrics.count("marie_database_busy_seconds_total", &labels)));
        }
    }

    pub(crate) fn runs(&self) -> usize {
        self.ends.len()
    }

    /// Returns the seconds that the database was busy, measured by the exporter.
    pub(crate) fn busy(&self) -> f64 {
        self.ends.last().map_or(0.0, |(_, busy)| *busy)
    }

    /// Returns the seconds of its queries, measured by the server. The first line of its file identifies a statement.
    pub(crate) fn seconds(&self, statements: &[(String, f64)]) -> f64 {
        let first_lines: Vec<&str> =
            self.queries.iter().filter_map(|query| query.sql.text.lines().next()).collect();
        let own = statements.iter().filter(|(text, _)| first_lines.iter().any(|line| text.contains(line)));
        own.fold(0.0, |sum, (_, seconds)| sum + seconds)
    }

    /// Returns the share of time that the database was busy, over complete runs with their pauses: from the start of the
    /// first run to the start of the last.
    pub(crate) fn share(&self) -> Option<f64> {
        let (first_end, first) = *self.ends.first()?;
        let (_, before) = *self.ends.iter().rev().nth(1)?;
        let (last_end, total) = *self.ends.last()?;
        let passed = last_end.duration_since(first_end).as_secs_f64() + first - (total - before);
        Some(before / passed)
    }

    /// Returns the median of the seconds from one run to the next.
    pub(crate) fn median_interval(&self) -> Option<f64> {
        let pairs = self.ends.windows(2);
        let mut seconds: Vec<f64> =
            pairs.map(|pair| pair[1].0.duration_since(pair[0].0).as_secs_f64()).collect();
        seconds.sort_by(f64::total_cmp);
        seconds.get(seconds.len() / 2).copied()
    }
}
