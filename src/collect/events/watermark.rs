//! Which rows of one history table are new by the time at which they were recorded. Windows of transactions (see
//! `position`) tell that exactly, until rows are written again: a rewrite of the table, a reload or a copy gives all
//! of them a new transaction. A row recorded before the newest counted one is then taken for counted.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::history::micros;
use super::observed::End;
use super::rows::Event;

/// A row recorded so long before everything up to then was counted is a copy. Transactions end sooner.
const LONGEST_TRANSACTION: i64 = 86_400_000_000;

/// Microseconds in which transactions can begin between the start of a poll and its snapshot.
const MARGIN: i64 = 10_000;

/// How far the clock that stamps rows may be ahead of the one that is read, as beside a standby.
const LARGEST_SKEW: i64 = 60_000_000;

#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Watermark {
    /// When the last row of the last poll was recorded.
    pub(super) last_row: Option<i64>,
    /// No event that was counted before the current window was recorded later.
    counted: i64,
    /// The same, up to now.
    newest: i64,
    /// Events recorded up to then are counted or lost.
    not_after: i64,
}

impl Watermark {
    /// Takes what is there `at` this Unix time for done.
    pub(super) fn from_now(at: f64, end: &End) -> Self {
        let now = micros(at);
        Watermark {
            last_row: end.recorded,
            counted: now.saturating_add(MARGIN),
            newest: now.saturating_add(MARGIN),
            // What fills an empty history is a restore.
            not_after: if end.last == 0 { now } else { 0 },
        }
    }

    /// Takes what was recorded up to this Unix time for counted: that of a state file without a watermark.
    pub(super) fn up_to(at: f64) -> Self {
        let newest = micros(at).saturating_add(MARGIN);
        Watermark { last_row: None, counted: newest, newest, not_after: 0 }
    }

    /// From here on no row recorded before the newest counted event is an event: the table was written again.
    pub(super) fn rewritten(&mut self) {
        self.not_after = self.not_after.max(self.newest);
    }

    pub(super) fn window_counted(&mut self) {
        self.counted = self.newest;
    }

    /// Keeps the events that are no copies, one for each transaction that wrote the job or DAG: its last row. Every
    /// event committed before `until` is counted; `now` is the poll's time.
    /// The others go to `copies`.
    pub(super) fn originals(
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
        // The rows of a transaction bear the time at which it began. One with several times has copied them.
        let is_copy = |event: &Event| {
            event.recorded <= self.counted
                && recorded.get(&event.transaction).is_some_and(|(first, last)| first < last)
        };
        let is_original = |event: &Event| event.recorded > not_after && !is_copy(event);
        let (mut events, others): (Vec<Event>, Vec<Event>) = events.into_iter().partition(is_original);
        copies.extend(others);
        // A row of the far future must not hide all later ones.
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
