//! The jobs that finished in the last minutes. The scheduler completes control-flow nodes up to four times, seconds
//! apart: a finish of a job that has not been unfinished since its last finish is no entry into a finished state.
//! Kept from poll to poll and in the state file.
//!
//! A window of transactions can hold a job's later row and not its earlier one. So the rows of all transactions are
//! followed in the order of `history_id`, in which a job's rows are, and each window starts over from the row up to
//! which every window before was final.

use std::collections::{HashMap, VecDeque};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sqlx::types::Uuid;

use super::rows::{Change, Event};

/// In the database's microseconds. Repeated completions were seen up to 6 s after the first.
const KEPT: i64 = 300_000_000;

/// Jobs that are kept at most, the latest ones: at 200 finishes a second those of the last four minutes.
const MOST: usize = 50_000;

/// Bytes of a job in the state file: its id and the time of the finish.
const BYTES: usize = 24;

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct RecentFinishes {
    /// After the rows that no window reads again.
    settled: Finished,
    /// While a window is being read: after the rows that are read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reading: Option<Finished>,
    /// While a window is being read: `settled` of the next window, once all its rows are read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    next: Option<Finished>,
}

impl RecentFinishes {
    /// Ends a window, if one was being read.
    pub(super) fn window_counted(&mut self) {
        let reading = self.reading.take();
        if let Some(settled) = self.next.take().or(reading) {
            self.settled = settled;
        }
    }

    /// Keeps the events that are creations or entries into a finished state. `changes` are all changes in the same
    /// rows, those of the events among them. No later window reads the rows up to `settled`.
    pub(super) fn entries(
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

/// Jobs that are in a finished state, as far as is known.
#[derive(Debug, Clone, Default, PartialEq)]
struct Finished {
    /// With the time at which each entered that state.
    jobs: HashMap<Uuid, i64>,
    /// The same, oldest first. A job that was unfinished since stays here until it is old.
    order: VecDeque<(Uuid, i64)>,
}

impl Finished {
    /// Notes a finish, and returns whether the job entered a finished state by it.
    fn insert(&mut self, id: Uuid, recorded: i64) -> bool {
        if self.jobs.contains_key(&id) {
            return false;
        }
        self.jobs.insert(id, recorded);
        self.order.push_back((id, recorded));
        while let Some(&(id, entered)) = self.order.front()
            && (entered < recorded.saturating_sub(KEPT) || self.order.len() > MOST)
        {
            self.order.pop_front();
            if self.is_current(id, entered) {
                self.jobs.remove(&id);
            }
        }
        true
    }

    fn is_current(&self, id: Uuid, entered: i64) -> bool {
        self.jobs.get(&id) == Some(&entered)
    }
}

impl Serialize for Finished {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut bytes = Vec::with_capacity(self.order.len() * BYTES);
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
        let (jobs, []) = bytes.as_chunks::<BYTES>() else {
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
