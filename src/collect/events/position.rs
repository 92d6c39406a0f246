//! Decides which rows of the histories are new.
//!
//! A row gets its `history_id` before its transaction commits, so reading the rows above the last seen id would lose
//! rows. Instead each row belongs to the window of transaction ids that contains its `xmin`. A window begins at the
//! horizon, below which all transactions are counted. It ends at the lowest transaction that had not ended at the next
//! run. So each row is in exactly one window, and no row can appear in a window later.
//!
//! To read only the new rows of a window, each run leaves a [`Mark`]: its highest `history_id` and its ceiling. No
//! transaction from the ceiling on had an id at that run, so its rows have a higher `history_id`.

use serde::{Deserialize, Serialize};

use super::observed::{End, ServerState, TABLES};

/// While a transaction stays open for days, no mark can be removed. Beyond this number every second one is.
const MAX_MARKS: usize = 512;

/// Up to where the histories are counted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Position {
    /// All rows that transactions below it wrote are counted.
    pub(super) horizon: u64,
    /// One for each run, oldest first. The first is the latest mark whose ceiling is not above the horizon.
    marks: Vec<Mark>,
    window: Option<Window>,
}

/// What a run noted of the histories' ends.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Mark {
    ceiling: u64,
    /// Unix time on the database's clock.
    at: f64,
    /// The highest `history_id`, by table.
    last: [i64; TABLES],
}

/// The transactions from the horizon up to but without `to`, with the rows of each table that are not yet counted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Window {
    to: u64,
    spans: [Span; TABLES],
}

/// Rows of one table with a `history_id` above `after` and up to `end`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct Span {
    pub(super) after: i64,
    pub(super) end: i64,
}

/// The span to read next.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct NextSpan {
    /// Index of the table in [`NAMES`](super::observed::NAMES).
    pub(super) table: usize,
    pub(super) span: Span,
    /// Transactions of the window: from the first on, below the second.
    pub(super) transactions: [u64; 2],
    /// No later window contains rows up to this `history_id`.
    pub(super) settled: i64,
}

impl Position {
    /// Starts counting with the transactions that begin to write from now on.
    pub(super) fn from_now(server: &ServerState, ends: &[End; TABLES]) -> Self {
        Position { horizon: server.ceiling, marks: vec![Mark::new(server, ends)], window: None }
    }

    /// Returns the highest `history_id` of each table at the last run.
    pub(super) fn last_seen(&self) -> [i64; TABLES] {
        self.marks.last().map_or([0; TABLES], |mark| mark.last)
    }

    /// Returns whether the last run left rows uncounted because a transaction was open.
    pub(super) fn is_behind(&self) -> bool {
        self.horizon < self.last_ceiling()
    }

    /// Returns the ceiling of the last run.
    pub(super) fn last_ceiling(&self) -> u64 {
        self.marks.last().map_or(self.horizon, |mark| mark.ceiling)
    }

    /// Makes the next window read a table from its beginning, because its rows may have got other `history_id`s.
    pub(super) fn reread(&mut self, table: usize) {
        for mark in &mut self.marks {
            mark.last[table] = 0;
        }
    }

    /// Makes the next windows read all rows that are not counted yet. They were rewritten, so they belong to later
    /// transactions than the marks assume.
    pub(super) fn reread_waiting(&mut self, table: usize) {
        let counted = self.marks.first().map_or(0, |mark| mark.last[table]);
        for mark in &mut self.marks {
            mark.last[table] = counted;
        }
    }

    /// Forgets the transactions from `next` on. A server that was killed assigns their ids again, and nothing that they
    /// wrote exists.
    pub(super) fn forget_from(&mut self, next: u64) {
        self.horizon = self.horizon.min(next);
        for mark in &mut self.marks {
            mark.ceiling = mark.ceiling.min(next);
        }
        if let Some(window) = &mut self.window {
            window.to = window.to.min(next);
        }
    }

    /// Adds a mark for this run.
    pub(super) fn remember_run(&mut self, server: &ServerState, ends: &[End; TABLES]) {
        let seen = self.last_seen();
        if self.marks.last().is_some_and(|mark| mark.ceiling == server.ceiling) {
            self.marks.pop();
        }
        let mut mark = Mark::new(server, ends);
        for table in (0..TABLES).filter(|table| !ends[*table].is_readable) {
            mark.last[table] = seen[table];
        }
        self.marks.push(mark);
        if self.marks.len() > MAX_MARKS {
            let mut place = 0;
            self.marks.retain(|_| {
                place += 1;
                place % 2 == 1
            });
        }
    }

    /// Returns the `history_id` of each table up to which no window reads again after the transactions below `to`.
    fn settled_before(&self, to: u64) -> [i64; TABLES] {
        let latest = self.marks.iter().rfind(|mark| mark.ceiling <= to);
        latest.or(self.marks.first()).map_or([0; TABLES], |mark| mark.last)
    }

    /// Returns the next rows to read, and opens a window if none is open. `None` if no row is new.
    pub(super) fn next(&mut self, server: &ServerState, ends: &[End; TABLES]) -> Option<NextSpan> {
        loop {
            if self.window.is_none() {
                if server.horizon <= self.horizon {
                    return None;
                }
                let floor = self.marks.first().map_or([0; TABLES], |mark| mark.last);
                let span = |table: usize| Span { after: floor[table], end: ends[table].last };
                self.window = Some(Window { to: server.horizon, spans: std::array::from_fn(span) });
            }
            let window = self.window.as_ref()?;
            let unread = window.spans.iter().position(|span| span.after < span.end);
            if let Some(table) = unread {
                let transactions = [self.horizon, window.to];
                let settled = self.settled_before(window.to)[table];
                return Some(NextSpan { table, span: window.spans[table], transactions, settled });
            }
            self.horizon = window.to;
            self.window = None;
            let latest = self.marks.iter().rposition(|mark| mark.ceiling <= self.horizon);
            self.marks.drain(..latest.unwrap_or_default());
        }
    }

    /// Notes that the rows of the table are counted up to this `history_id`.
    pub(super) fn mark_read(&mut self, table: usize, history_id: i64) {
        if let Some(window) = &mut self.window {
            window.spans[table].after = history_id;
        }
    }

    /// Returns the Unix time of the last run.
    pub(super) fn last_run(&self) -> f64 {
        self.marks.last().map_or(0.0, |mark| mark.at)
    }

    /// Returns the Unix time before which all committed events are counted.
    pub(super) fn counted_until(&self) -> f64 {
        self.marks.first().map_or(0.0, |mark| mark.at)
    }
}

impl Mark {
    fn new(server: &ServerState, ends: &[End; TABLES]) -> Self {
        let last = std::array::from_fn(|table: usize| ends[table].last);
        Mark { ceiling: server.ceiling, at: server.at, last }
    }
}
