//! Draws `top`: a header, the panes, and a last line with the keys or the trouble. It depends on the numbers and the view
//! only, so that tests need no database.

use std::time::Duration;

use ratatui::Frame;
use ratatui::layout::{Alignment, Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Paragraph, Sparkline, Table, Wrap};
use tokio::time::Instant;

use super::columns::{Column, Fitting, QUEUE_COLUMNS, RUNNING_COLUMNS, STUCK_COLUMNS};
use super::numbers::{Latest, Numbers, Status};
use super::queries::{CompletedJobs, MOST_JOBS};
use super::queues::queues;
use super::view::{Pane, View};
use crate::terminal::duration::in_units;
use crate::terminal::table;

#[cfg(test)]
mod tests;

const KEYS: &str = "q quit  Tab pane  ↑↓ scroll  r refresh";

/// The least height of a pane: two borders, a heading and three rows.
const LEAST_HEIGHT: u16 = 6;

/// From this width on, the throughput is beside the queues instead of below the other panes.
const WIDE: u16 = 116;

const HOURS: u16 = 24;

/// From this age on, a pane shows the age of its numbers in yellow.
const OLD: Duration = Duration::from_mins(1);

pub(super) fn draw(frame: &mut Frame<'_>, numbers: &Numbers, schema: &str, view: &mut View, now: Instant) {
    let (last, lines) = last_line(numbers, frame.area().width, now);
    let [header, body, footer] =
        Layout::vertical([Constraint::Length(1), Constraint::Fill(1), Constraint::Length(lines)])
            .areas(frame.area());
    draw_header(frame, header, numbers, schema, now);
    frame.render_widget(Paragraph::new(last).wrap(Wrap { trim: false }), footer);
    let Some(areas) = Areas::new(body) else {
        draw_pane(frame, body, view.chosen, numbers, view, now);
        return;
    };
    draw_pane(frame, areas.queues, Pane::Queues, numbers, view, now);
    draw_pane(frame, areas.stuck, Pane::Stuck, numbers, view, now);
    draw_pane(frame, areas.running, Pane::Running, numbers, view, now);
    draw_completed(frame, areas.completed, &numbers.completed, now);
}

fn draw_pane(
    frame: &mut Frame<'_>,
    area: Rect,
    pane: Pane,
    numbers: &Numbers,
    view: &mut View,
    now: Instant,
) {
    let title = |name: &str, count: usize| {
        let more = if u32::try_from(count) == Ok(MOST_JOBS) { "+" } else { "" };
        format!("{name} ({count}{more})")
    };
    let block =
        |title: &str, statuses: &[&Status], view: &View| framed(title, statuses, view.chosen == pane, now);
    match pane {
        Pane::Queues => {
            let rows = queues(numbers);
            let statuses = [&numbers.queues.status, &numbers.ready.status];
            let block = block(&format!("Queues ({})", rows.len()), &statuses, view);
            draw_rows(frame, area, pane, block, QUEUE_COLUMNS, &rows, view);
        }
        Pane::Stuck => {
            let Latest { rows, status } = &numbers.stuck;
            let block = block(&title("Stuck jobs", rows.len()), &[status], view);
            draw_rows(frame, area, pane, block, STUCK_COLUMNS, rows, view);
        }
        Pane::Running => {
            let Latest { rows, status } = &numbers.running;
            let block = block(&title("Running jobs", rows.len()), &[status], view);
            draw_rows(frame, area, pane, block, RUNNING_COLUMNS, rows, view);
        }
    }
}

/// Draws the rows to which the pane is scrolled.
fn draw_rows<R>(
    frame: &mut Frame<'_>,
    area: Rect,
    pane: Pane,
    block: Block<'_>,
    columns: &'static [Column<R>],
    rows: &[R],
    view: &mut View,
) {
    let first = view.first_row(pane, rows.len(), visible_rows(area));
    let columns = Fitting::select(columns, block.inner(area).width);
    let rows = rows.iter().skip(first).map(|row| columns.row(row));
    frame.render_widget(Table::new(rows, columns.widths()).header(columns.heading()).block(block), area);
}

/// The areas of the panes, if all of them fit.
struct Areas {
    queues: Rect,
    stuck: Rect,
    running: Rect,
    completed: Rect,
}

impl Areas {
    /// Returns `None` if there is room for one pane only. The throughput gets the height that the panes do not need.
    fn new(body: Rect) -> Option<Self> {
        let spare = body.height.checked_sub(3 * LEAST_HEIGHT)?;
        let is_wide = body.width >= WIDE;
        let throughput = match spare {
            _ if is_wide => 0,
            5.. => 5,
            3.. => 3,
            _ => 0,
        };
        let jobs = ((body.height - throughput) * 2 / 7).max(LEAST_HEIGHT);
        let heights = [Constraint::Fill(1), jobs.into(), jobs.into(), throughput.into()];
        let [above, stuck, running, below] = Layout::vertical(heights).areas(body);
        let beside = [Constraint::Fill(1), Constraint::Length(2 * HOURS + 2)];
        let (queues, completed) = if is_wide {
            let [queues, completed] = Layout::horizontal(beside).areas(above);
            (queues, completed)
        } else {
            (above, below)
        };
        Some(Areas { queues, stuck, running, completed })
    }
}

fn draw_header(frame: &mut Frame<'_>, area: Rect, numbers: &Numbers, schema: &str, now: Instant) {
    let schema = format!(" schema {}", table::harmless_text(schema));
    let place = match numbers.database.as_str() {
        "" => schema.clone(),
        database => format!(" {} ·{schema}", table::harmless_text(database)),
    };
    let (instant, age) = match numbers.refreshed {
        Some(refreshed) => {
            let age = format!("{} ago ", in_units(now.saturating_duration_since(refreshed)));
            (format!("{} · {age}", table::to_the_second(&numbers.instant)), age)
        }
        None => ("no numbers yet ".to_owned(), "no numbers yet ".to_owned()),
    };
    // The first pair that fits with a space between. The age is shown in any case.
    let pairs = [(place, instant.clone()), (schema.clone(), instant), (schema, age.clone())];
    let fits = |(left, right): &(String, String)| {
        Line::from(left.as_str()).width() + Line::from(right.as_str()).width() < usize::from(area.width)
    };
    let (left, right) = pairs.into_iter().find(fits).unwrap_or_else(|| (String::new(), age));
    let bar = Style::new().add_modifier(Modifier::REVERSED);
    let width = u16::try_from(Line::from(right.as_str()).width()).unwrap_or(area.width).min(area.width);
    frame.render_widget(Paragraph::new(left).style(bar), area);
    let at_the_end = Rect { x: area.x + area.width - width, width, ..area };
    frame.render_widget(Paragraph::new(right).style(bar).alignment(Alignment::Right), at_the_end);
}

/// Returns the last line, and how many lines of the screen it takes: the keys, or the trouble and the time of the next
/// attempt.
fn last_line(numbers: &Numbers, width: u16, now: Instant) -> (Line<'static>, u16) {
    let Some((why, again)) = &numbers.trouble else {
        return (Line::styled(format!(" {KEYS}"), Style::new().add_modifier(Modifier::DIM)), 1);
    };
    let again = in_units(again.saturating_duration_since(now));
    let text = format!(" retry in {again}: {}", table::harmless_text(why));
    // Lines are broken between words, so they are not full.
    let lines = text.chars().count() / usize::from(width).saturating_sub(8).max(1) + 1;
    let style = Style::new().fg(Color::Red).add_modifier(Modifier::BOLD);
    (Line::styled(text, style), u16::try_from(lines).unwrap_or(u16::MAX).min(4))
}

/// Returns the frame of a pane. It shows the failure of the latest run, or the age of old numbers.
fn framed(title: &str, statuses: &[&Status], is_chosen: bool, now: Instant) -> Block<'static> {
    let taken = statuses.iter().map(|status| status.taken).min().flatten();
    let failure = statuses.iter().find_map(|status| status.failure.as_deref());
    let (age, style) = match (taken.map(|taken| now.saturating_duration_since(taken)), failure) {
        (_, Some(why)) => (table::harmless_text(why), Style::new().fg(Color::Red)),
        (None, None) => ("…".to_owned(), Style::new()),
        (Some(age), None) if age > OLD => (format!("{} old", in_units(age)), Style::new().fg(Color::Yellow)),
        (Some(_), None) => (String::new(), Style::new()),
    };
    let border = if is_chosen { Style::new().fg(Color::Cyan) } else { Style::new() };
    let title = Span::styled(format!(" {title} "), Style::new().add_modifier(Modifier::BOLD));
    let block = Block::bordered().border_style(border).title(title);
    if age.is_empty() { block } else { block.title(Line::styled(format!(" {age} "), style).right_aligned()) }
}

/// Draws a bar for each of the last 24 hours, the latest on the right.
fn draw_completed(frame: &mut Frame<'_>, area: Rect, latest: &Latest<CompletedJobs>, now: Instant) {
    let mut hours = [0; HOURS as usize];
    for row in &latest.rows {
        if let Some(hour) = hours.iter_mut().rev().nth(row.hours_ago) {
            *hour += row.jobs;
        }
    }
    let most = hours.iter().max().copied().unwrap_or_default();
    let title = format!("Completed in 24 h: {}, at most {most} an hour", hours.iter().sum::<u64>());
    let block = framed(&title, &[&latest.status], false, now);
    let inside = block.inner(area);
    frame.render_widget(block, area);
    let each = usize::from((inside.width / HOURS).max(1));
    let bars: Vec<u64> = hours.iter().flat_map(|hour| std::iter::repeat_n(*hour, each)).collect();
    let sparkline = Sparkline::default().data(&bars).max(most.max(1)).style(Style::new().fg(Color::Green));
    frame.render_widget(sparkline, inside);
}

/// Returns how many rows a pane shows between its borders and below its heading.
fn visible_rows(area: Rect) -> usize {
    usize::from(area.height.saturating_sub(3))
}
