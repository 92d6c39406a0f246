//! Which rows of the history are new. A `history_id` is handed out before its transaction commits, so "above the
//! last one seen" loses rows. Instead a row belongs to the window of transaction ids that holds its `xmin`: from
//! the horizon, below which every transaction is counted, to the lowest that had not ended at the next poll. Each
//! row is in one window, and in a window no row can still appear.
//!
//! To read only new rows of it, each poll is remembered as a [`Mark`]: its highest `history_id`, and its ceiling,
//! from which on no transaction id had been given out. What such a transaction writes has a higher `history_id`.

use serde::{Deserialize, Serialize};

use super::observed::{End, Instant, TABLES};

/// A transaction that stays open for days lets no mark go; then every second one will do.
const MOST_MARKS: usize = 512;

/// How far counting has come.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Position {
    /// What transactions below it wrote is counted.
    pub(super) horizon: u64,
    /// By time; the first is the latest with a ceiling up to the horizon.
    marks: Vec<Mark>,
    window: Option<Window>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Mark {
    ceiling: u64,
    /// Unix time on the database's clock.
    at: f64,
    /// The highest `history_id`, by table.
    last: [i64; TABLES],
}

/// The transactions from the horizon to `to`, as far as they are not counted yet.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Window {
    to: u64,
    spans: [Span; TABLES],
}

/// Rows of one table: above `after`, up to `end`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct Span {
    pub(super) after: i64,
    pub(super) end: i64,
}

/// A span that is to be read next.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Next {
    /// Its place in [`TABLES`].
    pub(super) table: usize,
    pub(super) span: Span,
    /// The window's transactions: from the first on, before the second.
    pub(super) transactions: [u64; 2],
    /// The rows up to this `history_id` are in no later window.
    pub(super) settled: i64,
}

impl Position {
    /// Counts what transactions write that begin to from now on.
    pub(super) fn from_now(instant: &Instant, ends: &[End; TABLES]) -> Self {
        Position { horizon: instant.ceiling, marks: vec![Mark::new(instant, ends)], window: None }
    }

    /// The highest `history_id` of each table at the last poll.
    pub(super) fn last_seen(&self) -> [i64; TABLES] {
        self.marks.last().map_or([0; TABLES], |mark| mark.last)
    }

    /// Whether a transaction was open at the last poll whose rows are not counted yet.
    pub(super) fn is_behind(&self) -> bool {
        self.horizon < self.last_ceiling()
    }

    pub(super) fn last_ceiling(&self) -> u64 {
        self.marks.last().map_or(self.horizon, |mark| mark.ceiling)
    }

    /// Reads a table from its beginning once: its `history_id`s tell nothing any more.
    pub(super) fn reread(&mut self, table: usize) {
        for mark in &mut self.marks {
            mark.last[table] = 0;
        }
    }

    /// Reads the rows that wait to be counted again from the first of them: they were rewritten, so that they belong to
    /// later transactions than their `history_id`s tell.
    pub(super) fn reread_waiting(&mut self, table: usize) {
        let counted = self.marks.first().map_or(0, |mark| mark.last[table]);
        for mark in &mut self.marks {
            mark.last[table] = counted;
        }
    }

    /// The server was killed and has forgotten which ids it gave out from this one on. It gives them out again, and
    /// of what they wrote nothing is there.
    pub(super) fn forget_from(&mut self, next: u64) {
        self.horizon = self.horizon.min(next);
        for mark in &mut self.marks {
            mark.ceiling = mark.ceiling.min(next);
        }
        if let Some(window) = &mut self.window {
            window.to = window.to.min(next);
        }
    }

    /// Remembers a poll.
    pub(super) fn note(&mut self, instant: &Instant, ends: &[End; TABLES]) {
        let seen = self.last_seen();
        if self.marks.last().is_some_and(|mark| mark.ceiling == instant.ceiling) {
            self.marks.pop();
        }
        let mut mark = Mark::new(instant, ends);
        for table in (0..TABLES).filter(|table| !ends[*table].is_here) {
            mark.last[table] = seen[table];
        }
        self.marks.push(mark);
        if self.marks.len() > MOST_MARKS {
            let mut place = 0;
            self.marks.retain(|_| {
                place += 1;
                place % 2 == 1
            });
        }
    }

    /// The rows of each table that no window reads again when all transactions before `to` are counted.
    fn floor(&self, to: u64) -> [i64; TABLES] {
        let latest = self.marks.iter().rfind(|mark| mark.ceiling <= to);
        latest.or(self.marks.first()).map_or([0; TABLES], |mark| mark.last)
    }

    /// Returns the next rows to read. Opens a window if none is open. `None` if nothing is new.
    pub(super) fn next(&mut self, instant: &Instant, ends: &[End; TABLES]) -> Option<Next> {
        loop {
            if self.window.is_none() {
                if instant.horizon <= self.horizon {
                    return None;
                }
                let floor = self.marks.first().map_or([0; TABLES], |mark| mark.last);
                let span = |table: usize| Span { after: floor[table], end: ends[table].last };
                self.window = Some(Window { to: instant.horizon, spans: std::array::from_fn(span) });
            }
            let window = self.window.as_ref()?;
            let unread = window.spans.iter().position(|span| span.after < span.end);
            if let Some(table) = unread {
                let transactions = [self.horizon, window.to];
                let settled = self.floor(window.to)[table];
                return Some(Next { table, span: window.spans[table], transactions, settled });
            }
            self.horizon = window.to;
            self.window = None;
            let latest = self.marks.iter().rposition(|mark| mark.ceiling <= self.horizon);
            self.marks.drain(..latest.unwrap_or_default());
        }
    }

    /// The rows of the table in question are counted up to this `history_id`.
    pub(super) fn read_to(&mut self, table: usize, history_id: i64) {
        if let Some(window) = &mut self.window {
            window.spans[table].after = history_id;
        }
    }

    /// When the last poll was.
    pub(super) fn last_poll(&self) -> f64 {
        self.marks.last().map_or(0.0, |mark| mark.at)
    }

    /// Every event that was committed before this time is counted.
    pub(super) fn counted_until(&self) -> f64 {
        self.marks.first().map_or(0.0, |mark| mark.at)
    }
}

impl Mark {
    fn new(instant: &Instant, ends: &[End; TABLES]) -> Self {
        let last = std::array::from_fn(|table: usize| ends[table].last);
        Mark { ceiling: instant.ceiling, at: instant.at, last }
    }
}
