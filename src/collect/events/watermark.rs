//! Recognises copies of counted rows in one history table by the time at which they were recorded.
//!
//! The windows of `position` show exactly which rows are new, but only until rows are written again: a rewrite of the
//! table, a reload or a copy gives them a new transaction. After that, a row recorded before the newest counted event
//! is a copy.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::history::micros;
use super::observed::End;
use super::rows::Event;

/// Microseconds. A row recorded longer than this before the time up to which all events are counted is a copy, because
/// no transaction lasts so long.
const LONGEST_TRANSACTION: i64 = 86_400_000_000;

/// Microseconds between the start of a run and its snapshot, in which transactions can begin.
const MARGIN: i64 = 10_000;

/// Microseconds by which the clock that stamps rows may be ahead of the clock that is read, as on a standby.
const LARGEST_SKEW: i64 = 60_000_000;

/// Times in microseconds since 1970.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Watermark {
    /// When the last row at the last run was recorded.
    pub(super) last_row: Option<i64>,
    /// When the newest event was recorded that was counted before the current window.
    counted: i64,
    /// When the newest event was recorded that is counted now.
    newest: i64,
    /// Rows recorded up to this time are no new events: they are counted or lost.
    not_after: i64,
}

impl Watermark {
    /// Treats all rows that exist at the Unix time `at` as counted.
    pub(super) fn from_now(at: f64, end: &End) -> Self {
        let now = micros(at);
        Watermark {
            last_row: end.recorded,
            counted: now.saturating_add(MARGIN),
            newest: now.saturating_add(MARGIN),
            // Old rows that appear in an empty history come from a restore.
            not_after: if end.last == 0 { now } else { 0 },
        }
    }

    /// Treats all rows recorded up to this Unix time as counted. For a state file without watermarks.
    pub(super) fn up_to(at: f64) -> Self {
        let newest = micros(at).saturating_add(MARGIN);
        Watermark { last_row: None, counted: newest, newest, not_after: 0 }
    }

    /// Notes that the table was rewritten: no row recorded before the newest counted event is a new event.
    pub(super) fn note_rewrite(&mut self) {
        self.not_after = self.not_after.max(self.newest);
    }

    /// Notes that a window is counted completely.
    pub(super) fn end_window(&mut self) {
        self.counted = self.newest;
    }

    /// Returns the events that are no copies, and appends the others to `copies`.
    ///
    /// Of several rows that one transaction wrote of a job or DAG, only the last is returned. `until` is the time before
    /// which all committed events are counted, `now` the time of the run.
    pub(super) fn remove_copies(
        &mut self,
        events: Vec<Event>,
        until: f64,
        now: f64,
        copies: &mut Vec<Event>,
    ) -> Vec<Event> {
        let not_after = self.not_after.max(micros(until).saturating_sub(LONGEST_TRANSACTION));
        let mut recorded: HashMap<i32, (i64, i64)> = HashMap::new();
        for event in &events {
            let (first, last) = recorded.entry(event.transaction).or_insert((event.recorded, event.recorded));
            (*first, *last) = ((*first).min(event.recorded), (*last).max(event.recorded));
        }
        // A transaction records all its rows at the time at which it began. Rows with several times are copies.
        let is_copy = |event: &Event| {
            event.recorded <= self.counted
                && recorded.get(&event.transaction).is_some_and(|(first, last)| first < last)
        };
        let is_original = |event: &Event| event.recorded > not_after && !is_copy(event);
        let (mut events, others): (Vec<Event>, Vec<Event>) = events.into_iter().partition(is_original);
        copies.extend(others);
        // A row recorded in the far future must not hide later events.
        let latest = micros(now).saturating_add(LARGEST_SKEW);
        let newest = events.iter().map(|event| event.recorded.min(latest)).max();
        self.newest = self.newest.max(newest.unwrap_or_default());
        events
            .sort_unstable_by_key(|event| (event.id, event.recorded, event.is_creation(), event.history_id));
        let mut last: Vec<Event> = Vec::with_capacity(events.len());
        for event in events {
            match last.last_mut() {
                Some(before) if before.is_same_change(&event) => *before = event,
                _ => last.push(event),
            }
        }
        last
    }
}
