//! State of the events collector, kept from run to run and in the state file: the identity of the database, the
//! position in its histories, and the totals. Checks at each run whether the histories continue where the last run
//! ended.

use super::identity::Identity;
use super::observed::{End, JOBS, NAMES, SeenRow, ServerState, TABLES};
use super::position::{NextSpan, Position};
use super::presence::Presence;
use super::recent_finishes::RecentFinishes;
use super::rows::{Event, Rows};
use super::totals::Totals;
use super::watermark::Watermark;
use crate::postgres::{Failure, Reason};

/// Most transaction ids between the position and the server's ceiling. Ids are compared by their lower 32 bits, which
/// orders no more than 2^31 of them.
const MAX_DISTANCE: u64 = 1 << 30;

#[derive(Debug, Clone)]
pub(super) struct State {
    pub(super) identity: Identity,
    pub(super) timeline: i64,
    /// File of each table, which TRUNCATE, VACUUM FULL and rewrites replace.
    pub(super) files: [i64; TABLES],
    /// Whether an enabled trigger that writes the table was seen at the last run.
    pub(super) are_written: [bool; TABLES],
    pub(super) position: Position,
    pub(super) watermarks: [Watermark; TABLES],
    pub(super) recent: RecentFinishes,
    pub(super) presence: Presence,
    pub(super) totals: Totals,
}

impl State {
    /// Returns a state that counts from now on.
    pub(super) fn from_now(identity: Identity, server: &ServerState, ends: &[End; TABLES]) -> Self {
        State {
            identity,
            timeline: server.timeline,
            files: ends.map(|end| end.file),
            are_written: ends.map(|end| end.is_written),
            position: Position::from_now(server, ends),
            watermarks: ends.map(|end| Watermark::from_now(server.at, &end)),
            recent: RecentFinishes::default(),
            presence: Presence::default(),
            totals: Totals::default(),
        }
    }

    /// Returns the next rows to read. `None` if no row is new.
    pub(super) fn next(&mut self, server: &ServerState, ends: &[End; TABLES]) -> Option<NextSpan> {
        let horizon = self.position.horizon;
        let next = self.position.next(server, ends);
        if self.position.horizon > horizon {
            // The window is counted completely.
            self.watermarks.iter_mut().for_each(Watermark::end_window);
            self.recent.end_window();
        }
        next
    }

    /// Returns the events to count among new rows of a table. No later window reads rows up to `settled`.
    pub(super) fn events(
        &mut self,
        table: usize,
        rows: Rows,
        settled: i64,
        server: &ServerState,
    ) -> Vec<Event> {
        let until = self.position.counted_until();
        let mut copies = Vec::new();
        let events = self.watermarks[table].remove_copies(rows.events, until, server.at, &mut copies);
        if table != JOBS {
            return events;
        }
        let mut changes = rows.changes;
        changes.extend(events.iter().chain(&copies).map(Event::to_change));
        self.recent.keep_entries(events, changes, settled)
    }

    /// Checks that the histories continue where the last run ended. If they do not, the run fails, counting continues
    /// from the present rows, the totals stay, and the next run succeeds.
    pub(super) fn check(&mut self, server: &ServerState, ends: &[End; TABLES]) -> Result<(), Failure> {
        let ceiling = self.position.last_ceiling();
        let seen = self.position.last_seen();
        let is_kept = |table: usize| {
            let end = &ends[table];
            !end.is_readable || seen[table] == 0 || self.last_row(table, end) == LastRow::Kept
        };
        let is_all_kept = (0..TABLES).all(is_kept);
        let restart = if server.timeline != self.timeline {
            Some(format!("the server was restored or promoted (timeline {})", server.timeline))
        } else if server.ceiling < ceiling && server.in_recovery {
            // A restarted standby replays rows that are already counted. Starting from now would count them twice.
            let why = "the standby is behind the rows that are already counted; counting continues when it has caught up";
            return Err(Failure::new(Reason::HistoryLost, why));
        } else if server.ceiling < ceiling && is_all_kept {
            self.position.forget_from(server.ceiling);
            None
        } else if server.ceiling < ceiling {
            Some(format!("the server was restored: its transaction ids went back to {}", server.ceiling))
        } else if server.ceiling.saturating_sub(self.position.horizon) > MAX_DISTANCE {
            Some("too many transactions have begun since the last run".to_owned())
        } else {
            None
        };
        if let Some(why) = restart {
            self.timeline = server.timeline;
            self.files = ends.map(|end| end.file);
            self.position = Position::from_now(server, ends);
            self.watermarks = ends.map(|end| Watermark::from_now(server.at, &end));
            self.recent.end_window();
            let message = format!("{why}; events since the last run are lost, counting continues from now");
            return Err(Failure::new(Reason::HistoryLost, message));
        }
        let mut lost = Ok(());
        for (table, end) in ends.iter().enumerate().filter(|(_, end)| end.is_readable) {
            self.are_written[table] = end.is_written;
            if let Err(failure) = self.check_table(table, end, seen[table]) {
                lost = Err(failure);
            }
            self.files[table] = end.file;
            self.watermarks[table].last_row = end.recorded;
        }
        if lost.is_err() {
            // The next run compares the histories with this one.
            self.position.remember_run(server, ends);
        }
        lost
    }

    /// Checks that one table continues after the row that the last run saw last, which has the id `seen`.
    fn check_table(&mut self, table: usize, end: &End, seen: i64) -> Result<(), Failure> {
        // The file of a partitioned history is unknown.
        let is_replaced = end.file != self.files[table] || end.file == 0;
        let name = NAMES[table];
        match self.last_row(table, end) {
            _ if seen == 0 => Ok(()),
            LastRow::Gone if end.last >= seen && !is_replaced => Ok(()),
            LastRow::Gone | LastRow::Another => {
                self.position.reread(table);
                self.watermarks[table].note_rewrite();
                let message = format!(
                    "{name} was truncated or purged: events in it that were not counted yet are lost"
                );
                Err(Failure::new(Reason::HistoryLost, message))
            }
            LastRow::Rewritten if !is_replaced => {
                self.position.reread_waiting(table);
                Ok(())
            }
            LastRow::Rewritten => {
                self.position.reread_waiting(table);
                self.watermarks[table].note_rewrite();
                if !self.position.is_behind() {
                    return Ok(());
                }
                let message = format!(
                    "{name} was rewritten: events of transactions that were open at the last run may be lost"
                );
                Err(Failure::new(Reason::HistoryLost, message))
            }
            LastRow::Kept => Ok(()),
        }
    }

    /// Returns the state of the row that the previous run saw last.
    fn last_row(&self, table: usize, end: &End) -> LastRow {
        match end.seen {
            None => LastRow::Gone,
            Some(SeenRow { is_old: true, .. }) => LastRow::Kept,
            Some(SeenRow { recorded, .. }) if recorded == self.watermarks[table].last_row => {
                LastRow::Rewritten
            }
            Some(_) => LastRow::Another,
        }
    }
}

/// State of the row that the previous run saw last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LastRow {
    Kept,
    /// The same row, written again by a later transaction.
    Rewritten,
    /// Another row has its `history_id`.
    Another,
    Gone,
}
