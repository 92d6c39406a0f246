//! The columns of `top`'s panes. In a narrow terminal the least important columns are left out, so that no job id or queue
//! name is cut.

use ratatui::layout::Constraint;
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::Line;
use ratatui::widgets::Row;

use super::queries::{RunningJob, StuckJob};
use super::queues::Queue;
use crate::terminal::duration::seconds_in_units;
use crate::terminal::table;

/// A column of rows of type `R`.
#[derive(Debug)]
pub(super) struct Column<R> {
    heading: &'static str,
    /// The least width of a column that takes the rest.
    width: u16,
    is_number: bool,
    takes_rest: bool,
    /// 0 for the most important column.
    rank: u8,
    cell: fn(&R) -> Line<'static>,
}

impl<R> Column<R> {
    /// A column of ids.
    const fn id(heading: &'static str, rank: u8, cell: fn(&R) -> Line<'static>) -> Self {
        Column { heading, width: 36, is_number: false, takes_rest: false, rank, cell }
    }

    const fn queue(rank: u8, cell: fn(&R) -> Line<'static>) -> Self {
        Column { heading: "QUEUE", width: 10, is_number: false, takes_rest: true, rank, cell }
    }

    const fn number(heading: &'static str, width: u16, rank: u8, cell: fn(&R) -> Line<'static>) -> Self {
        Column { heading, width, is_number: true, takes_rest: false, rank, cell }
    }

    fn aligned<'a>(&self, cell: Line<'a>) -> Line<'a> {
        if self.is_number { cell.right_aligned() } else { cell }
    }
}

pub(super) const QUEUE_COLUMNS: &[Column<Queue>] = &[
    Column::queue(0, |queue| text(Some(&queue.name))),
    Column::number("CREATED", 7, 4, |queue| count(queue.created)),
    Column::number("RETRY", 6, 5, |queue| count(queue.retry)),
    Column::number("READY", 6, 2, |queue| count(queue.ready)),
    Column::number("ACTIVE", 6, 3, |queue| count(queue.active)),
    Column::number("STUCK", 6, 1, |queue| {
        let style = if queue.stuck > 0 { Style::new().fg(Color::Red) } else { Style::new() };
        count(queue.stuck).style(style)
    }),
    Column::number("DONE 1H", 7, 6, |queue| count(queue.completed)),
];

pub(super) const STUCK_COLUMNS: &[Column<StuckJob>] = &[
    Column::id("JOB", 0, |stuck| text(Some(&stuck.job.id))),
    Column::queue(1, |stuck| text(stuck.job.queue.as_deref())),
    Column::number("ACTIVE FOR", 10, 2, |stuck| duration(stuck.job.active_for)),
    Column::number("THRESHOLD", 9, 4, |stuck| duration(Some(stuck.threshold))),
    Column::number("RETRIES", 7, 3, |stuck| optional_count(stuck.job.retry_count)),
    Column::id("DAG", 5, |stuck| text(stuck.job.dag_id.as_deref())),
];

pub(super) const RUNNING_COLUMNS: &[Column<RunningJob>] = &[
    Column::id("JOB", 0, |job| text(Some(&job.id))),
    Column::queue(1, |job| text(job.queue.as_deref())),
    Column::number("ACTIVE FOR", 10, 2, |job| duration(job.active_for)),
    Column::number("RETRIES", 7, 3, |job| optional_count(job.retry_count)),
    Column::id("DAG", 4, |job| text(job.dag_id.as_deref())),
];

/// What a cell shows for NULL.
const NULL: &str = "-";

fn text(text: Option<&str>) -> Line<'static> {
    Line::from(text.map_or_else(|| NULL.to_owned(), table::harmless_text))
}

fn count(count: u64) -> Line<'static> {
    Line::from(count.to_string())
}

fn optional_count(count: Option<i64>) -> Line<'static> {
    Line::from(count.map_or_else(|| NULL.to_owned(), |count| count.to_string()))
}

fn duration(seconds: Option<f64>) -> Line<'static> {
    Line::from(seconds.map_or_else(|| NULL.to_owned(), seconds_in_units))
}

/// The columns that a pane shows.
pub(super) struct Fitting<R: 'static>(Vec<&'static Column<R>>);

impl<R> Fitting<R> {
    /// Selects the most important columns that fit into `room` characters, at least one.
    pub(super) fn select(columns: &'static [Column<R>], room: u16) -> Self {
        let mut by_rank: Vec<(usize, &Column<R>)> = columns.iter().enumerate().collect();
        by_rank.sort_by_key(|(_, column)| column.rank);
        let mut taken = 0;
        let mut selected: Vec<(usize, &Column<R>)> = by_rank
            .into_iter()
            .take_while(|(_, column)| {
                let is_first = taken == 0;
                // One space separates two columns.
                taken += column.width + u16::from(!is_first);
                is_first || taken <= room
            })
            .collect();
        selected.sort_by_key(|(place, _)| *place);
        Fitting(selected.into_iter().map(|(_, column)| column).collect())
    }

    pub(super) fn widths(&self) -> Vec<Constraint> {
        let width = |column: &&Column<R>| {
            if column.takes_rest { Constraint::Fill(1) } else { Constraint::Length(column.width) }
        };
        self.0.iter().map(width).collect()
    }

    pub(super) fn heading(&self) -> Row<'static> {
        let cells = self.0.iter().map(|column| column.aligned(Line::from(column.heading)));
        Row::new(cells).style(Style::new().add_modifier(Modifier::DIM))
    }

    pub(super) fn row(&self, row: &R) -> Row<'static> {
        Row::new(self.0.iter().map(|column| column.aligned((column.cell)(row))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn least_important_columns_are_left_out_first() {
        for (room, headings) in [
            (0, vec!["JOB"]),
            (46, vec!["JOB"]),
            (47, vec!["JOB", "QUEUE"]),
            (58, vec!["JOB", "QUEUE", "ACTIVE FOR"]),
            (66, vec!["JOB", "QUEUE", "ACTIVE FOR", "RETRIES"]),
            (76, vec!["JOB", "QUEUE", "ACTIVE FOR", "THRESHOLD", "RETRIES"]),
            (113, vec!["JOB", "QUEUE", "ACTIVE FOR", "THRESHOLD", "RETRIES", "DAG"]),
        ] {
            let Fitting(selected) = Fitting::select(STUCK_COLUMNS, room);
            assert_eq!(selected.iter().map(|column| column.heading).collect::<Vec<_>>(), headings, "{room}");
        }
    }
}
