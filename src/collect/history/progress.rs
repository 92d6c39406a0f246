//! How far a pass over finished jobs is: which part, and which ids or pages of it come next.

use sqlx::types::Uuid;

use super::files::{Files, TableId};
use crate::collect::slice::SliceSize;

/// Largest number of a page that PostgreSQL can have, and one more.
const PAGES_END: u64 = u32::MAX as u64;

/// The jobs of one slice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Bounds {
    All,
    /// All that are in ids.
    Others,
    /// The ids from the first to the last.
    Ids {
        first: Uuid,
        last: Uuid,
    },
    /// The pages from the first on, without the end.
    Pages {
        first: u64,
        end: u64,
    },
}

impl Bounds {
    pub(super) const FIRST_PAGE: Bounds = Bounds::Pages { first: 0, end: 1 };
    pub(super) const ALL_IDS: Bounds = Bounds::Ids { first: Uuid::nil(), last: Uuid::max() };

    /// Returns the arguments of the slice.
    pub(super) fn arguments(&self) -> Vec<String> {
        let page = |page: &u64| format!("({},0)", page.min(&PAGES_END));
        match self {
            Bounds::All | Bounds::Others => Vec::new(),
            Bounds::Ids { first, last } => vec![first.to_string(), last.to_string()],
            Bounds::Pages { first, end } => vec![page(first), page(end)],
        }
    }
}

/// Jobs that are read together: those of all queues, or of a group of queues.
#[derive(Debug)]
pub(super) struct Part {
    /// `None` for all queues.
    queues: Option<Vec<String>>,
    /// The partitions of these queues.
    tables: Vec<TableId>,
}

impl Part {
    pub(super) fn whole() -> Self {
        Part { queues: None, tables: Vec::new() }
    }

    pub(super) fn of_no_queue() -> Self {
        Part::of_queues(Vec::new(), Vec::new())
    }

    pub(super) fn of_queues(queues: Vec<String>, tables: Vec<TableId>) -> Self {
        Part { queues: Some(queues), tables }
    }

    fn tables(&self) -> Option<&[TableId]> {
        self.queues.is_some().then_some(&self.tables)
    }

    fn pages(&self, files: &Files) -> u64 {
        files.most_pages(self.tables())
    }

    fn is_without_queues(&self) -> bool {
        self.queues.as_ref().is_some_and(Vec::is_empty)
    }
}

/// What of a part comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Position {
    All,
    Ids { first: Uuid },
    Pages { first: u64, end: u64, is_extended: bool },
}

#[derive(Debug)]
pub(super) struct Progress {
    parts: Vec<Part>,
    part: usize,
    position: Position,
    is_first: bool,
    is_at_once: bool,
    has_ids: bool,
}

impl Progress {
    /// Begins with the first part. `parts` must not be empty.
    pub(super) fn new(parts: Vec<Part>, is_at_once: bool, has_ids: bool, files: &Files) -> Self {
        let position = Position::All;
        let mut progress = Progress { parts, part: 0, position, is_first: true, is_at_once, has_ids };
        progress.begin_part(files);
        progress
    }

    /// Returns the queues of the slice, `None` for all.
    pub(super) fn queues(&self) -> Option<&[String]> {
        self.part().queues.as_deref()
    }

    /// Whether no slice was read yet.
    pub(super) fn is_first(&self) -> bool {
        self.is_first
    }

    pub(super) fn is_in_ids(&self) -> bool {
        matches!(self.position, Position::Ids { .. })
    }

    /// Returns the next slice. The end of a range of ids is not known yet.
    pub(super) fn next(&self, pages: SliceSize, files: &Files) -> Bounds {
        match self.position {
            Position::All => Bounds::All,
            Position::Ids { first } => Bounds::Ids { first, last: Uuid::max() },
            Position::Pages { first, end, .. } => {
                let size = pages.get().unsigned_abs();
                Bounds::Pages { first, end: end.min(files.range_end(self.part().tables(), first, size)) }
            }
        }
    }

    /// Whether a slice ends where its part ends, so that it can be smaller than wanted.
    pub(super) fn is_end(&self, read: &Bounds) -> bool {
        match (self.position, read) {
            (Position::Pages { end: all, .. }, Bounds::Pages { end, .. }) => *end == all,
            (Position::Ids { .. }, Bounds::Ids { last, .. }) => *last == Uuid::max(),
            _ => true,
        }
    }

    /// Goes on after a slice that was read. `files` are those that it has read. Returns whether the pass is complete.
    pub(super) fn advance(&mut self, read: &Bounds, files: &Files) -> bool {
        self.is_first = false;
        let next = match (self.position, read) {
            (Position::Ids { .. }, Bounds::Others) => self.pages(files),
            (Position::Ids { .. }, Bounds::Ids { last, .. }) => match last.as_u128().checked_add(1) {
                Some(first) => Some(Position::Ids { first: Uuid::from_u128(first) }),
                None => self.pages(files),
            },
            (Position::Pages { end, is_extended, .. }, Bounds::Pages { end: first, .. }) if *first < end => {
                Some(Position::Pages { first: *first, end, is_extended })
            }
            // Pages that were added meanwhile are read too, but only once, so that the pass ends.
            (Position::Pages { end, is_extended: false, .. }, _) => {
                let now = self.part().pages(files);
                (now > end).then_some(Position::Pages { first: end, end: now, is_extended: true })
            }
            _ => None,
        };
        if let Some(next) = next {
            self.position = next;
            return false;
        }
        self.part += 1;
        if self.part == self.parts.len() {
            return true;
        }
        self.begin_part(files);
        false
    }

    fn begin_part(&mut self, files: &Files) {
        let part = self.part();
        self.position = if self.is_at_once || part.is_without_queues() {
            Position::All
        } else if self.has_ids {
            Position::Ids { first: Uuid::nil() }
        } else {
            Position::Pages { first: 0, end: part.pages(files), is_extended: false }
        };
    }

    fn part(&self) -> &Part {
        &self.parts[self.part]
    }

    /// Returns the pages of the part, if it has one.
    fn pages(&self, files: &Files) -> Option<Position> {
        let end = self.part().pages(files);
        (end > 0).then_some(Position::Pages { first: 0, end, is_extended: false })
    }
}
