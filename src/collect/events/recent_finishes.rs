//! Jobs that finished in the last minutes, kept from run to run and in the state file. They show which finishes are
//! repetitions: the scheduler completes control-flow nodes up to four times, seconds apart. A repeated finish does not
//! count, because the job was already in a finished state.
//!
//! A window of transactions can contain a later row of a job without its earlier rows. Therefore the rows of all
//! transactions are followed, in the order of `history_id`, which is the order in which a job changed. Each window
//! begins again at the row up to which all earlier windows were complete.

use std::collections::{HashMap, VecDeque};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sqlx::types::Uuid;

use super::rows::{Change, Event};

/// Microseconds for which a finish is kept. Repetitions were observed up to 6 s after the first completion.
const KEPT_MICROS: i64 = 300_000_000;

/// Most jobs that are kept, the latest ones: four minutes of 200 finishes a second.
const MAX_JOBS: usize = 50_000;

/// Bytes of a job in the state file: its id and the time of its finish.
const BYTES_PER_JOB: usize = 24;

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct RecentFinishes {
    /// Finished jobs as of the last row that no later window reads.
    settled: Finished,
    /// While a window is being read: finished jobs as of the last row that was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reading: Option<Finished>,
    /// While a window is being read: `settled` for the next window, as soon as all its rows are read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    next: Option<Finished>,
}

impl RecentFinishes {
    /// Ends the window that was being read, if any.
    pub(super) fn end_window(&mut self) {
        let reading = self.reading.take();
        if let Some(settled) = self.next.take().or(reading) {
            self.settled = settled;
        }
    }

    /// Returns the events that are creations or entries into a finished state.
    ///
    /// `changes` are all changes in the same rows, including those of the events. No later window reads rows up to
    /// `settled`.
    pub(super) fn keep_entries(
        &mut self,
        events: Vec<Event>,
        mut changes: Vec<Change>,
        settled: i64,
    ) -> Vec<Event> {
        let mut finishes: HashMap<i64, Event> = HashMap::new();
        let mut entries = Vec::with_capacity(events.len());
        for event in events {
            if event.is_creation() {
                entries.push(event);
            } else {
                finishes.insert(event.history_id, event);
            }
        }
        let reading = self.reading.get_or_insert_with(|| self.settled.clone());
        changes.sort_unstable_by_key(|change| change.history_id);
        for change in changes {
            if change.history_id > settled && self.next.is_none() {
                self.next = Some(reading.clone());
            }
            let Some(recorded) = change.finished else {
                reading.jobs.remove(&change.id);
                continue;
            };
            let is_entry = reading.insert(change.id, recorded);
            if let Some(event) = finishes.remove(&change.history_id)
                && is_entry
            {
                entries.push(event);
            }
        }
        entries
    }
}

/// Jobs that recently entered a finished state and have not left it.
#[derive(Debug, Clone, Default, PartialEq)]
struct Finished {
    /// When each job entered the state.
    jobs: HashMap<Uuid, i64>,
    /// The same, oldest first. Also contains jobs that have left the state, until they are old.
    order: VecDeque<(Uuid, i64)>,
}

impl Finished {
    /// Notes a finish, and returns whether the job entered a finished state with it.
    fn insert(&mut self, id: Uuid, recorded: i64) -> bool {
        if self.jobs.contains_key(&id) {
            return false;
        }
        self.jobs.insert(id, recorded);
        self.order.push_back((id, recorded));
        while let Some(&(id, entered)) = self.order.front()
            && (entered < recorded.saturating_sub(KEPT_MICROS) || self.order.len() > MAX_JOBS)
        {
            self.order.pop_front();
            if self.is_current(id, entered) {
                self.jobs.remove(&id);
            }
        }
        true
    }

    /// Returns whether the job is still in the state that it entered at this time.
    fn is_current(&self, id: Uuid, entered: i64) -> bool {
        self.jobs.get(&id) == Some(&entered)
    }
}

impl Serialize for Finished {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut bytes = Vec::with_capacity(self.order.len() * BYTES_PER_JOB);
        for (id, entered) in self.order.iter().filter(|(id, entered)| self.is_current(*id, *entered)) {
            bytes.extend_from_slice(id.as_bytes());
            bytes.extend_from_slice(&entered.to_be_bytes());
        }
        serializer.serialize_str(&STANDARD.encode(bytes))
    }
}

impl<'de> Deserialize<'de> for Finished {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = STANDARD.decode(text).map_err(serde::de::Error::custom)?;
        let (jobs, []) = bytes.as_chunks::<BYTES_PER_JOB>() else {
            return Err(serde::de::Error::custom("the list of finished jobs is cut off"));
        };
        let mut finished = Finished::default();
        for job in jobs {
            let id = Uuid::from_u128(job[..16].iter().fold(0, |id, byte| id << 8 | u128::from(*byte)));
            let entered = job[16..].iter().fold(0, |time, byte| time << 8 | i64::from(*byte));
            finished.jobs.insert(id, entered);
            finished.order.push_back((id, entered));
        }
        Ok(finished)
    }
}
