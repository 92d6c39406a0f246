//! What the feed remembers from poll to poll and the state file keeps: whose history was counted, how far, and the
//! totals. Judges at each poll whether the history goes on where the last poll left it.

use super::identity::Identity;
use super::observed::{End, Instant, JOBS, NAMES, Seen, TABLES};
use super::position::{Next, Position};
use super::presence::Presence;
use super::recent_finishes::RecentFinishes;
use super::rows::{Event, Rows};
use super::totals::Totals;
use super::watermark::Watermark;
use crate::postgres::{Failure, Reason};

/// Transaction ids are compared by their lower 32 bits, half of which are the future.
const FARTHEST: u64 = 1 << 30;

#[derive(Debug, Clone)]
pub(super) struct State {
    pub(super) identity: Identity,
    pub(super) timeline: i64,
    /// The tables' files, which TRUNCATE, VACUUM FULL and rewrites replace.
    pub(super) files: [i64; TABLES],
    /// Whether a trigger was seen that writes them.
    pub(super) are_written: [bool; TABLES],
    pub(super) position: Position,
    pub(super) watermarks: [Watermark; TABLES],
    pub(super) recent: RecentFinishes,
    pub(super) presence: Presence,
    pub(super) totals: Totals,
}

impl State {
    pub(super) fn from_now(identity: Identity, instant: &Instant, ends: &[End; TABLES]) -> Self {
        State {
            identity,
            timeline: instant.timeline,
            files: ends.map(|end| end.file),
            are_written: ends.map(|end| end.is_written),
            position: Position::from_now(instant, ends),
            watermarks: ends.map(|end| Watermark::from_now(instant.at, &end)),
            recent: RecentFinishes::default(),
            presence: Presence::default(),
            totals: Totals::default(),
        }
    }

    /// Returns the next rows to read. `None` if nothing is new.
    pub(super) fn next(&mut self, instant: &Instant, ends: &[End; TABLES]) -> Option<Next> {
        let horizon = self.position.horizon;
        let next = self.position.next(instant, ends);
        if self.position.horizon > horizon {
            // A window was counted to its end.
            self.watermarks.iter_mut().for_each(Watermark::window_counted);
            self.recent.window_counted();
        }
        next
    }

    /// The events in new rows of a table that are to be counted.
    /// No later window reads the rows up to `settled`.
    pub(super) fn events(&mut self, table: usize, rows: Rows, settled: i64, instant: &Instant) -> Vec<Event> {
        let until = self.position.counted_until();
        let mut copies = Vec::new();
        let events = self.watermarks[table].originals(rows.events, until, instant.at, &mut copies);
        if table != JOBS {
            return events;
        }
        let mut changes = rows.changes;
        changes.extend(events.iter().chain(&copies).map(Event::change));
        self.recent.entries(events, changes, settled)
    }

    /// Checks that the history goes on where the last poll left it. Where it does not, counting goes on from what
    /// there is now: the totals stay, and the next poll succeeds.
    pub(super) fn check(&mut self, instant: &Instant, ends: &[End; TABLES]) -> Result<(), Failure> {
        let ceiling = self.position.last_ceiling();
        let seen = self.position.last_seen();
        let is_kept = |table: usize| {
            let end = &ends[table];
            !end.is_here || seen[table] == 0 || self.last_row(table, end) == LastRow::Kept
        };
        let is_all_kept = (0..TABLES).all(is_kept);
        let restart = if instant.timeline != self.timeline {
            Some(format!("the server was restored or promoted (timeline {})", instant.timeline))
        } else if instant.ceiling < ceiling && instant.in_recovery {
            // A standby that was restarted replays what it had shown before; a new start would count it twice.
            let why = "the standby is behind what was counted already, and has to catch up";
            return Err(Failure::new(Reason::HistoryLost, why));
        } else if instant.ceiling < ceiling && is_all_kept {
            self.position.forget_from(instant.ceiling);
            None
        } else if instant.ceiling < ceiling {
            Some(format!("the server was restored: its transaction ids went back to {}", instant.ceiling))
        } else if instant.ceiling.saturating_sub(self.position.horizon) > FARTHEST {
            Some("the last poll is too many transactions ago".to_owned())
        } else {
            None
        };
        if let Some(why) = restart {
            self.timeline = instant.timeline;
            self.files = ends.map(|end| end.file);
            self.position = Position::from_now(instant, ends);
            self.watermarks = ends.map(|end| Watermark::from_now(instant.at, &end));
            self.recent.window_counted();
            let message = format!("{why}; events since the last poll are lost, counting goes on from now");
            return Err(Failure::new(Reason::HistoryLost, message));
        }
        let mut lost = Ok(());
        for (table, end) in ends.iter().enumerate().filter(|(_, end)| end.is_here) {
            self.are_written[table] = end.is_written;
            if let Err(failure) = self.check_table(table, end, seen[table]) {
                lost = Err(failure);
            }
            self.files[table] = end.file;
            self.watermarks[table].last_row = end.recorded;
        }
        if lost.is_err() {
            // The next poll compares with the rows of this one.
            self.position.note(instant, ends);
        }
        lost
    }

    fn check_table(&mut self, table: usize, end: &End, seen: i64) -> Result<(), Failure> {
        // Of a partitioned history no file is known.
        let is_replaced = end.file != self.files[table] || end.file == 0;
        let name = NAMES[table];
        match self.last_row(table, end) {
            _ if seen == 0 => Ok(()),
            LastRow::Gone if end.last >= seen && !is_replaced => Ok(()),
            LastRow::Gone | LastRow::Another => {
                self.position.reread(table);
                self.watermarks[table].rewritten();
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
                self.watermarks[table].rewritten();
                if !self.position.is_behind() {
                    return Ok(());
                }
                let message = format!(
                    "{name} was rewritten: events of transactions that were open at the last poll may be lost"
                );
                Err(Failure::new(Reason::HistoryLost, message))
            }
            LastRow::Kept => Ok(()),
        }
    }

    /// What became of the row that was the last at the previous poll.
    fn last_row(&self, table: usize, end: &End) -> LastRow {
        match end.seen {
            None => LastRow::Gone,
            Some(Seen { is_old: true, .. }) => LastRow::Kept,
            Some(Seen { recorded, .. }) if recorded == self.watermarks[table].last_row => LastRow::Rewritten,
            Some(_) => LastRow::Another,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LastRow {
    Kept,
    /// The same row, written again.
    Rewritten,
    /// Another one with its `history_id`.
    Another,
    Gone,
}
