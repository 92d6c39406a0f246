//! Totals of all series, kept from run to run. `state_file` saves them, and the exporter publishes their samples.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::bounds::Bounds;
use super::families::{
    CLAMPED, COUNTED_UNTIL, DAG_RUN, FAMILIES, JOB_RETRIES, JOB_RUN, JOB_TURNAROUND, JOB_WAIT, JOBS_CREATED,
    JOBS_FINISHED, SLA_FINISHED, SLA_MISSED, SLAS,
};
use super::labels::Labels;
use super::rows::{Event, Values};
use super::tally::{Counts, Tally};
use crate::collect::queue_labels::QueueLabels;
use crate::metrics::{DuplicateSample, Family, Samples};

/// One tally for each family and its label values.
#[derive(Debug, Clone, Default)]
pub(super) struct Totals(BTreeMap<(&'static str, Vec<String>), Tally>);

/// A series in the state file.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Saved {
    family: String,
    labels: Vec<String>,
    #[serde(flatten)]
    counted: Counts,
    /// Published values, if they differ from the counted ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    published: Option<Counts>,
    /// Only in files of format 1: whether the counted values were published, instead of 0.
    #[serde(default, skip_serializing)]
    is_shown: Option<bool>,
}

impl Totals {
    /// Adds the events to the series of their queues and planners.
    pub(super) fn add(&mut self, mut events: Vec<Event>, labels: &mut Labels, bounds: &Bounds) {
        let mut busiest: BTreeMap<&str, usize> = BTreeMap::new();
        for event in &events {
            *busiest.entry(&event.owner).or_default() += 1;
        }
        // If few labels are left, the queues and planners with most events get them.
        let mut order: Vec<(&str, usize)> = busiest.into_iter().collect();
        order.sort_by_key(|(_, count)| Reverse(*count));
        let ranks: BTreeMap<String, usize> =
            order.into_iter().enumerate().map(|(rank, (owner, _))| (owner.to_owned(), rank)).collect();
        events.sort_by_key(|event| ranks.get(&event.owner).copied());
        for event in events {
            let owner = match event.values {
                Values::DagFinished { .. } => Some(labels.active_planner_label(&event.owner)),
                Values::JobCreated | Values::JobFinished { .. } => labels.active_queue_label(&event.owner),
            };
            if let Some(owner) = owner {
                let event = Event { state: labels.state_label(event.state), ..event };
                self.add_event(owner, event, bounds);
            }
        }
    }

    fn add_event(&mut self, owner: String, event: Event, bounds: &Bounds) {
        let with_state = vec![owner.clone(), event.state];
        match event.values {
            Values::JobCreated => self.tally(&JOBS_CREATED, vec![owner]).count(1),
            Values::DagFinished { run } => self.observe(&DAG_RUN, with_state, Some(run), bounds),
            Values::JobFinished { retries, wait, run, turnaround, missed_soft, missed_hard } => {
                self.tally(&JOBS_FINISHED, with_state.clone()).count(1);
                self.observe(&JOB_RETRIES, with_state.clone(), Some(retries), bounds);
                self.observe(&JOB_WAIT, vec![owner.clone()], wait, bounds);
                self.observe(&JOB_RUN, with_state.clone(), run, bounds);
                self.observe(&JOB_TURNAROUND, with_state, turnaround, bounds);
                for (sla, is_missed) in SLAS.into_iter().zip([missed_soft, missed_hard]) {
                    let Some(is_missed) = is_missed else { continue };
                    let labels = vec![owner.clone(), sla.to_owned()];
                    self.tally(&SLA_FINISHED, labels.clone()).count(1);
                    self.tally(&SLA_MISSED, labels).count(u64::from(is_missed));
                }
            }
        }
    }

    fn observe(&mut self, family: &Family, labels: Vec<String>, value: Option<i64>, bounds: &Bounds) {
        let Some(value) = value else { return };
        self.tally(family, labels).observe(value, bounds.of_family(family));
        if value < 0 {
            self.tally(&CLAMPED, vec![]).count(1);
        }
    }

    /// Creates the counters of all known queues, so that they are published before their first event.
    pub(super) fn create_known_series(
        &mut self,
        queues: &QueueLabels,
        finished_states: &[String],
        labels: &mut Labels,
    ) {
        self.tally(&CLAMPED, vec![]);
        for queue in queues.known() {
            let Some(queue) = labels.queue_label(queue) else { continue };
            self.tally(&JOBS_CREATED, vec![queue.clone()]);
            for state in finished_states {
                self.tally(&JOBS_FINISHED, vec![queue.clone(), state.clone()]);
            }
            for sla in SLAS {
                self.tally(&SLA_FINISHED, vec![queue.clone(), sla.to_owned()]);
                self.tally(&SLA_MISSED, vec![queue.clone(), sla.to_owned()]);
            }
        }
    }

    /// Notes the time of the first scrape since the series were last published.
    pub(super) fn note_scrape(&mut self, at: Instant) {
        self.0.values_mut().for_each(|tally| tally.note_scrape(at));
    }

    /// Notes that all series are about to be published.
    pub(super) fn publish(&mut self, hold_for: Duration, now: Instant) {
        self.0.values_mut().for_each(|tally| tally.publish(hold_for, now));
    }

    /// Returns the values that a label has in the series.
    pub(super) fn values_of(&self, label: &str) -> BTreeSet<String> {
        let value = |(family, values): &(&'static str, Vec<String>)| {
            let family = FAMILIES.iter().find(|known| known.name == *family)?;
            let place = family.labels.iter().position(|known| *known == label)?;
            values.get(place).cloned()
        };
        self.0.keys().filter_map(value).collect()
    }

    /// Drops the series of queues and planners that lost their labels.
    pub(super) fn evict(&mut self, labels: &Labels) {
        self.0.retain(|(family, owners), _| {
            !owner_label(family).is_some_and(|label| labels.is_evicted(label, &owners[0]))
        });
    }

    /// Returns the samples to publish, for each of [`FAMILIES`].
    ///
    /// # Errors
    /// Never in practice, because the keys of the map are unique.
    pub(super) fn samples(&self, bounds: &Bounds, until: f64) -> Result<Vec<Samples>, DuplicateSample> {
        let mut all: Vec<Samples> = FAMILIES.iter().map(|family| Samples::new(family)).collect();
        for samples in &mut all {
            let family = samples.family;
            if family.name == COUNTED_UNTIL.name {
                samples.insert(Vec::new(), until)?;
                continue;
            }
            for ((_, labels), tally) in
                self.0.range((family.name, Vec::new())..).take_while(|((name, _), _)| *name == family.name)
            {
                samples.insert(labels.clone(), tally.published().value(family, bounds.of_family(family)))?;
            }
        }
        Ok(all)
    }

    pub(super) fn save(&self) -> Vec<Saved> {
        let saved = |((family, labels), tally): (&(&'static str, Vec<String>), &Tally)| {
            let (counted, published) = (tally.counted(), tally.published());
            Saved {
                family: (*family).to_owned(),
                labels: labels.clone(),
                counted: counted.clone(),
                published: (published != counted).then(|| published.clone()),
                is_shown: None,
            }
        };
        self.0.iter().map(saved).collect()
    }

    /// Restores the saved series. Histograms whose bounds have changed start from zero.
    pub(super) fn load(saved: Vec<Saved>, then: &Bounds, now: &Bounds) -> Self {
        let restore = |saved: Saved| {
            let family = FAMILIES.iter().find(|family| family.name == saved.family)?;
            let fits =
                saved.labels.len() == family.labels.len() && then.of_family(family) == now.of_family(family);
            let published = match (saved.published, saved.is_shown) {
                (Some(published), _) => published,
                (None, Some(false)) => Counts::default(),
                (None, _) => saved.counted.clone(),
            };
            fits.then(|| ((family.name, saved.labels), Tally::restored(saved.counted, published)))
        };
        Totals(saved.into_iter().filter_map(restore).collect())
    }

    fn tally(&mut self, family: &Family, labels: Vec<String>) -> &mut Tally {
        self.0.entry((family.name, labels)).or_default()
    }
}

/// Returns the label of a family that names a queue or planner: its first label. `None` if it has no labels.
fn owner_label(family: &str) -> Option<&'static str> {
    FAMILIES.iter().find(|known| known.name == family)?.labels.first().copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_a_label_are_found_at_its_place() {
        let mut totals = Totals::default();
        totals.tally(&JOBS_FINISHED, vec!["extract".to_owned(), "failed".to_owned()]);
        totals.tally(&CLAMPED, vec![]);
        for (label, value) in [("queue", "extract"), ("state", "failed")] {
            assert_eq!(totals.values_of(label), BTreeSet::from([value.to_owned()]), "{label}");
        }
        assert!(totals.values_of("planner").is_empty());
    }
}
