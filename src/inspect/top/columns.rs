//! Which columns of a pane fit beside each other: where the terminal is narrow the less important ones go, each as a whole,
//! before a queue's name or a job's id is cut.

use ratatui::layout::Constraint;
use ratatui::style::{Modifier, Style};
use ratatui::text::Line;
use ratatui::widgets::Row;

#[derive(Debug, Clone, Copy)]
pub(super) struct Column {
    heading: &'static str,
    /// Its least width, if it takes what is left.
    width: u16,
    is_number: bool,
    takes_the_rest: bool,
    /// Those with higher ones go first.
    rank: u8,
}

const fn id(heading: &'static str, rank: u8) -> Column {
    Column { heading, width: 36, is_number: false, takes_the_rest: false, rank }
}

const fn queue(rank: u8) -> Column {
    Column { heading: "QUEUE", width: 10, is_number: false, takes_the_rest: true, rank }
}

const fn number(heading: &'static str, width: u16, rank: u8) -> Column {
    Column { heading, width, is_number: true, takes_the_rest: false, rank }
}

pub(super) const OF_QUEUES: &[Column] = &[
    queue(0),
    number("CREATED", 7, 4),
    number("RETRY", 6, 5),
    number("READY", 6, 2),
    number("ACTIVE", 6, 3),
    number("STUCK", 6, 1),
    number("DONE 1H", 7, 6),
];

pub(super) const OF_STUCK: &[Column] = &[
    id("JOB", 0),
    queue(1),
    number("ACTIVE FOR", 10, 2),
    number("THRESHOLD", 9, 4),
    number("RETRIES", 7, 3),
    id("DAG", 5),
];

pub(super) const OF_RUNNING: &[Column] =
    &[id("JOB", 0), queue(1), number("ACTIVE FOR", 10, 2), number("RETRIES", 7, 3), id("DAG", 4)];

/// Those that are shown, with their places among all.
pub(super) struct Kept(Vec<(usize, Column)>);

impl Kept {
    /// As many as there is room for, the most important one in any case.
    pub(super) fn of(all: &[Column], room: u16) -> Self {
        let mut by_rank: Vec<(usize, Column)> = all.iter().copied().enumerate().collect();
        by_rank.sort_by_key(|(_, column)| column.rank);
        let mut taken = 0;
        let mut kept: Vec<(usize, Column)> = by_rank
            .into_iter()
            .take_while(|(_, column)| {
                let is_first = taken == 0;
                // A space is between each two.
                taken += column.width + u16::from(!is_first);
                is_first || taken <= room
            })
            .collect();
        kept.sort_by_key(|(place, _)| *place);
        Kept(kept)
    }

    pub(super) fn widths(&self) -> Vec<Constraint> {
        let width = |column: &Column| {
            if column.takes_the_rest { Constraint::Fill(1) } else { Constraint::Length(column.width) }
        };
        self.0.iter().map(|(_, column)| width(column)).collect()
    }

    pub(super) fn heading(&self) -> Row<'static> {
        let cells = self.0.iter().map(|(_, column)| column.aligned(Line::from(column.heading)));
        Row::new(cells).style(Style::new().add_modifier(Modifier::DIM))
    }

    /// A row of a cell for each of all columns.
    pub(super) fn row<'a>(&self, cells: &[Line<'a>]) -> Row<'a> {
        Row::new(self.0.iter().map(|&(place, column)| column.aligned(cells[place].clone())))
    }
}

impl Column {
    fn aligned(self, cell: Line<'_>) -> Line<'_> {
        if self.is_number { cell.right_aligned() } else { cell }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn job_id_and_queue_stay_longest_and_all_fits() {
        for (room, headings) in [
            (0, vec!["JOB"]),
            (46, vec!["JOB"]),
            (47, vec!["JOB", "QUEUE"]),
            (58, vec!["JOB", "QUEUE", "ACTIVE FOR"]),
            (66, vec!["JOB", "QUEUE", "ACTIVE FOR", "RETRIES"]),
            (76, vec!["JOB", "QUEUE", "ACTIVE FOR", "THRESHOLD", "RETRIES"]),
            (113, vec!["JOB", "QUEUE", "ACTIVE FOR", "THRESHOLD", "RETRIES", "DAG"]),
        ] {
            let Kept(kept) = Kept::of(OF_STUCK, room);
            assert_eq!(kept.iter().map(|(_, column)| column.heading).collect::<Vec<_>>(), headings, "{room}");
        }
    }
}
