//! What has been counted so far: each series' total, kept in process from poll to poll. Totals are whole
//! numbers, so that they are exact however long the process runs.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::bounds::{Bounds, units};
use super::families::{
    CLAMPED, COUNTED_UNTIL, DAG_RUN, FAMILIES, JOB_RETRIES, JOB_RUN, JOB_TURNAROUND, JOB_WAIT, JOBS_CREATED,
    JOBS_FINISHED, Measure, SLA_FINISHED, SLA_MISSED, SLAS,
};
use super::history::Observed;
use crate::database::{Failure, Reason};
use crate::family::{Distribution, DuplicateSample, Family, Kind, Samples, Value};
use crate::queues::{LABEL as QUEUE, OTHER, Queues};

/// Planners with series of their own. Which of them are busy is not known beforehand, and a series once counted
/// can go nowhere, so they are the first.
const PLANNERS: usize = 50;

#[derive(Debug, Clone, Default)]
pub(super) struct Totals(BTreeMap<(&'static str, Vec<String>), Tally>);

/// One series.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Tally {
    /// Observations by bucket; a counter's are all in the first.
    counts: Vec<u64>,
    /// Of the values, in the database's unit.
    sum: u64,
    /// Whether a scrape has seen it. Until then it is published as 0: `increase()` tells nothing of a series that
    /// begins with its first event.
    is_shown: bool,
}

/// A series as the state file holds it.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Saved {
    family: String,
    labels: Vec<String>,
    #[serde(flatten)]
    tally: Tally,
}

impl Totals {
    /// Adds what was observed. Owners are queues, except of DAGs.
    ///
    /// # Errors
    /// When the SQL names a measure that is not known here.
    pub(super) fn add(&mut self, observed: &[Observed], labels: &mut Labels) -> Result<(), Failure> {
        for observed in observed {
            let measure = Measure::of(&observed.measure).ok_or_else(|| {
                Failure::new(Reason::Other, format!("nothing is known of the measure {}", observed.measure))
            })?;
            let owner = match measure {
                Measure::DagRun => Some(labels.planner(&observed.owner)),
                _ => labels.queue(&observed.owner),
            };
            let Some(owner) = owner else { continue };
            self.tally(&CLAMPED, vec![]).count(observed.clamped);
            let with_state = || vec![owner.clone(), observed.state.clone()];
            match measure {
                Measure::Created => self.tally(&JOBS_CREATED, vec![owner]).count(observed.count()),
                Measure::Finished => self.tally(&JOBS_FINISHED, with_state()).count(observed.count()),
                Measure::Sla(sla) => {
                    let labels = vec![owner, sla.to_owned()];
                    self.tally(&SLA_FINISHED, labels.clone()).count(observed.count());
                    self.tally(&SLA_MISSED, labels).count(observed.total);
                }
                Measure::Wait => self.tally(&JOB_WAIT, vec![owner]).observe(observed),
                Measure::Run => self.tally(&JOB_RUN, with_state()).observe(observed),
                Measure::Turnaround => self.tally(&JOB_TURNAROUND, with_state()).observe(observed),
                Measure::Retries => self.tally(&JOB_RETRIES, with_state()).observe(observed),
                Measure::DagRun => self.tally(&DAG_RUN, with_state()).observe(observed),
            }
        }
        Ok(())
    }

    /// Makes the counters' series of all known queues, so that they are there before what they count.
    pub(super) fn introduce(&mut self, queues: &Queues, finished_states: &[String], labels: &mut Labels) {
        self.tally(&CLAMPED, vec![]);
        for queue in queues.known() {
            let Some(queue) = labels.queue(queue) else { continue };
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

    /// A scrape has seen every series that there is.
    pub(super) fn were_shown(&mut self) {
        for tally in self.0.values_mut() {
            tally.is_shown = true;
        }
    }

    /// The values of a label among the series.
    fn values_of(&self, label: &str) -> BTreeSet<String> {
        let place = |name: &str| {
            FAMILIES.iter().find(|family| family.name == name)?.labels.iter().position(|own| *own == label)
        };
        self.0.keys().filter_map(|(family, labels)| Some(labels[place(family)?].clone())).collect()
    }

    /// Drops the series of queues that gave up their labels.
    pub(super) fn evict(&mut self, labels: &Labels) {
        self.0.retain(|(family, owners), _| {
            let is_by_queue =
                FAMILIES.iter().any(|known| known.name == *family && known.labels.first() == Some(&QUEUE));
            !(is_by_queue && labels.evicted.contains(&owners[0]))
        });
    }

    /// What is published, one for each of [`FAMILIES`].
    ///
    /// # Errors
    /// Never in practice: each series is one here.
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
                samples.insert(labels.clone(), tally.value(family, bounds.of(family)))?;
            }
        }
        Ok(all)
    }

    pub(super) fn save(&self) -> Vec<Saved> {
        let saved = |((family, labels), tally): (&(&'static str, Vec<String>), &Tally)| Saved {
            family: (*family).to_owned(),
            labels: labels.clone(),
            tally: tally.clone(),
        };
        self.0.iter().map(saved).collect()
    }

    /// The saved series that still mean the same: those of a histogram with other bounds begin anew.
    pub(super) fn load(saved: Vec<Saved>, then: &Bounds, now: &Bounds) -> Self {
        let known = |saved: Saved| {
            let family = FAMILIES.iter().find(|family| family.name == saved.family)?;
            let fits = saved.labels.len() == family.labels.len() && then.of(family) == now.of(family);
            fits.then_some(((family.name, saved.labels), saved.tally))
        };
        Totals(saved.into_iter().filter_map(known).collect())
    }

    fn tally(&mut self, family: &Family, labels: Vec<String>) -> &mut Tally {
        self.0.entry((family.name, labels)).or_default()
    }
}

impl Tally {
    fn count(&mut self, more: u64) {
        self.add(0, more);
    }

    fn observe(&mut self, observed: &Observed) {
        for (bucket, count) in &observed.counts {
            self.add(*bucket, *count);
        }
        self.sum = self.sum.saturating_add(observed.total);
    }

    fn add(&mut self, bucket: usize, more: u64) {
        if self.counts.len() <= bucket {
            self.counts.resize(bucket + 1, 0);
        }
        self.counts[bucket] += more;
    }

    #[expect(clippy::cast_precision_loss, reason = "Prometheus's numbers are floats; exact up to 2^53")]
    fn value(&self, family: &Family, bounds: &[i64]) -> Value {
        let shown = |number: u64| if self.is_shown { number } else { 0 };
        let count = |bucket: usize| shown(self.counts.get(bucket).copied().unwrap_or_default());
        match family.kind {
            Kind::Histogram => Value::Distribution(Distribution {
                bounds: bounds.iter().map(|bound| *bound as f64 / units(family)).collect(),
                counts: (0..=bounds.len()).map(count).collect(),
                sum: shown(self.sum) as f64 / units(family),
            }),
            Kind::Counter | Kind::Gauge => Value::Number(count(0) as f64),
        }
    }
}

/// Under which label values this poll counts. A series that was counted once keeps its label, or it would seem to
/// be reset; new queues have what room is left, or that of a queue that is gone.
pub(super) struct Labels {
    queues: Queues,
    limit: usize,
    own_queues: BTreeSet<String>,
    /// Those of them that are no queues any more.
    gone: BTreeSet<String>,
    evicted: BTreeSet<String>,
    own_planners: BTreeSet<String>,
}

impl Labels {
    pub(super) fn new(totals: &Totals, queues: &Queues, limit: usize) -> Self {
        let without_other = |label| {
            let mut values = totals.values_of(label);
            values.remove(OTHER);
            values
        };
        let own_queues = without_other(QUEUE);
        let is_gone = |queue: &&String| queues.known().binary_search(*queue).is_err();
        Labels {
            queues: queues.clone(),
            limit,
            gone: own_queues.iter().filter(is_gone).cloned().collect(),
            // As after a restart with another --queues.exclude.
            evicted: own_queues.iter().filter(|queue| queues.label(queue).is_none()).cloned().collect(),
            own_queues,
            own_planners: without_other("planner"),
        }
    }

    /// None where the queue is not selected.
    fn queue(&mut self, name: &str) -> Option<String> {
        self.queues.label(name)?;
        if self.own_queues.contains(name) {
            return Some(name.to_owned());
        }
        self.queues.admit(name);
        if self.queues.label(name)? != name {
            return Some(OTHER.to_owned());
        }
        if self.own_queues.len() >= self.limit {
            let Some(gone) = self.gone.pop_first() else { return Some(OTHER.to_owned()) };
            self.own_queues.remove(&gone);
            self.evicted.insert(gone);
        }
        self.own_queues.insert(name.to_owned());
        Some(name.to_owned())
    }

    fn planner(&mut self, name: &str) -> String {
        if self.own_planners.contains(name) {
            name.to_owned()
        } else if self.own_planners.len() < PLANNERS {
            self.own_planners.insert(name.to_owned());
            name.to_owned()
        } else {
            OTHER.to_owned()
        }
    }
}
