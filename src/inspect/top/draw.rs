//! `top`'s picture: a header, the panes, a line for what is wrong. It knows the numbers and the view, never the database,
//! so a test can look at it.

use std::time::Duration;

use ratatui::Frame;
use ratatui::layout::{Alignment, Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Paragraph, Sparkline, Table, Wrap};
use tokio::time::Instant;

use super::columns::{Column, Kept, OF_QUEUES, OF_RUNNING, OF_STUCK};
use super::numbers::{Numbers, Shown};
use super::panes::{JOBS, Part};
use super::queues::{self, count};
use super::view::{Pane, View};
use crate::terminal::table;

#[cfg(test)]
mod tests;

const KEYS: &str = "q quit  Tab pane  ↑↓ scroll  r refresh";

/// Three rows between borders and below a heading; panes that had fewer would show a heading and little else.
const LOWEST: u16 = 6;

/// Below this width the throughput stands under the other panes instead of beside the queues.
const WIDE: u16 = 116;

const HOURS: u16 = 24;

/// Older than this, numbers say so in yellow.
const OLD: Duration = Duration::from_mins(1);

pub(super) fn draw(frame: &mut Frame<'_>, numbers: &Numbers, schema: &str, view: &mut View, now: Instant) {
    let (last, lines) = last_line(numbers, frame.area().width, now);
    let [header, body, footer] =
        Layout::vertical([Constraint::Length(1), Constraint::Fill(1), Constraint::Length(lines)])
            .areas(frame.area());
    draw_header(frame, header, numbers, schema, now);
    frame.render_widget(Paragraph::new(last).wrap(Wrap { trim: false }), footer);
    let Some(places) = Places::of(body) else {
        match view.chosen {
            Pane::Queues => draw_queues(frame, body, numbers, view, now),
            Pane::Stuck => draw_jobs(frame, body, STUCK, numbers, view, now),
            Pane::Running => draw_jobs(frame, body, RUNNING, numbers, view, now),
        }
        return;
    };
    draw_queues(frame, places.queues, numbers, view, now);
    draw_jobs(frame, places.stuck, STUCK, numbers, view, now);
    draw_jobs(frame, places.running, RUNNING, numbers, view, now);
    draw_completed(frame, places.completed, numbers.part(Part::Completed), now);
}

/// Where everything is.
struct Places {
    queues: Rect,
    stuck: Rect,
    running: Rect,
    completed: Rect,
}

impl Places {
    /// None where there is room for one pane only. The throughput gets what the panes can do without.
    fn of(body: Rect) -> Option<Self> {
        let spare = body.height.checked_sub(3 * LOWEST)?;
        let is_wide = body.width >= WIDE;
        let throughput = match spare {
            _ if is_wide => 0,
            5.. => 5,
            3.. => 3,
            _ => 0,
        };
        let of_jobs = ((body.height - throughput) * 2 / 7).max(LOWEST);
        let heights = [Constraint::Fill(1), of_jobs.into(), of_jobs.into(), throughput.into()];
        let [above, stuck, running, below] = Layout::vertical(heights).areas(body);
        let beside = [Constraint::Fill(1), Constraint::Length(2 * HOURS + 2)];
        let (queues, completed) = if is_wide {
            let [queues, completed] = Layout::horizontal(beside).areas(above);
            (queues, completed)
        } else {
            (above, below)
        };
        Some(Places { queues, stuck, running, completed })
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
            let age = format!("{} ago ", in_words(now.saturating_duration_since(refreshed)));
            (format!("{} · {age}", table::to_the_second(&numbers.instant)), age)
        }
        None => ("no numbers yet ".to_owned(), "no numbers yet ".to_owned()),
    };
    // The first that fits, with a space between; how old the numbers are is said in any case.
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

/// The keys, or what is wrong and when it is tried again; and how many lines of the screen that takes.
fn last_line(numbers: &Numbers, width: u16, now: Instant) -> (Line<'static>, u16) {
    let Some((why, again)) = &numbers.trouble else {
        return (Line::styled(format!(" {KEYS}"), Style::new().add_modifier(Modifier::DIM)), 1);
    };
    let again = in_words(again.saturating_duration_since(now));
    let text = format!(" again in {again}: {}", table::harmless_text(why));
    // Lines break between words, so they are not full.
    let lines = text.chars().count() / usize::from(width).saturating_sub(8).max(1) + 1;
    let style = Style::new().fg(Color::Red).add_modifier(Modifier::BOLD);
    (Line::styled(text, style), u16::try_from(lines).unwrap_or(u16::MAX).min(4))
}

/// A pane's frame, in which it says how old its numbers are and why there are none newer.
fn block(title: &str, parts: &[&Shown], is_chosen: bool, now: Instant) -> Block<'static> {
    let taken = parts.iter().map(|shown| shown.taken).min().flatten();
    let failure = parts.iter().find_map(|shown| shown.failure.as_deref());
    let (age, style) = match (taken.map(|taken| now.saturating_duration_since(taken)), failure) {
        (_, Some(why)) => (table::harmless_text(why), Style::new().fg(Color::Red)),
        (None, None) => ("…".to_owned(), Style::new()),
        (Some(age), None) if age > OLD => (format!("{} old", in_words(age)), Style::new().fg(Color::Yellow)),
        (Some(_), None) => (String::new(), Style::new()),
    };
    let border = if is_chosen { Style::new().fg(Color::Cyan) } else { Style::new() };
    let title = Span::styled(format!(" {title} "), Style::new().add_modifier(Modifier::BOLD));
    let block = Block::bordered().border_style(border).title(title);
    if age.is_empty() { block } else { block.title(Line::styled(format!(" {age} "), style).right_aligned()) }
}

fn draw_queues(frame: &mut Frame<'_>, area: Rect, numbers: &Numbers, view: &mut View, now: Instant) {
    let queues = queues::of(numbers);
    let parts = [Part::Queues, Part::Ready].map(|part| numbers.part(part));
    let title = format!("Queues ({})", queues.len());
    let block = block(&title, &parts, view.chosen == Pane::Queues, now);
    let first = view.first_row(Pane::Queues, queues.len(), room(area));
    let columns = Kept::of(OF_QUEUES, block.inner(area).width);
    let rows = queues.iter().skip(first).map(|(name, queue)| {
        let is_stuck = if queue.stuck > 0 { Style::new().fg(Color::Red) } else { Style::new() };
        let number = |number: u64| Line::from(number.to_string());
        columns.row(&[
            Line::from(table::harmless_text(name)),
            number(queue.created),
            number(queue.retry),
            number(queue.ready),
            number(queue.active),
            number(queue.stuck).style(is_stuck),
            number(queue.completed),
        ])
    });
    frame.render_widget(Table::new(rows, columns.widths()).header(columns.heading()).block(block), area);
}

/// A pane of single jobs, whose part has the columns that are shown, in their order.
#[derive(Clone, Copy)]
struct Jobs {
    pane: Pane,
    name: &'static str,
    part: Part,
    columns: &'static [Column],
}

const STUCK: Jobs = Jobs { pane: Pane::Stuck, name: "Stuck jobs", part: Part::Stuck, columns: OF_STUCK };

const RUNNING: Jobs =
    Jobs { pane: Pane::Running, name: "Running jobs", part: Part::Running, columns: OF_RUNNING };

/// Jobs with how long they have run.
fn draw_jobs(
    frame: &mut Frame<'_>,
    area: Rect,
    jobs: Jobs,
    numbers: &Numbers,
    view: &mut View,
    now: Instant,
) {
    let shown = numbers.part(jobs.part);
    let count = shown.rows.len();
    let more = if u32::try_from(count) == Ok(JOBS) { "+" } else { "" };
    let title = format!("{} ({count}{more})", jobs.name);
    let block = block(&title, &[shown], view.chosen == jobs.pane, now);
    let first = view.first_row(jobs.pane, count, room(area));
    let columns = Kept::of(jobs.columns, block.inner(area).width);
    let kinds = jobs.part.listing().columns.iter().map(|column| column.kind);
    let rows = shown.rows.iter().skip(first).map(|row| {
        let cells =
            row.iter().zip(kinds.clone()).map(|(value, kind)| Line::from(table::shown(value, kind, 0.0)));
        columns.row(&cells.collect::<Vec<_>>())
    });
    frame.render_widget(Table::new(rows, columns.widths()).header(columns.heading()).block(block), area);
}

/// A bar for each of the last 24 hours, the latest on the right.
fn draw_completed(frame: &mut Frame<'_>, area: Rect, shown: &Shown, now: Instant) {
    let mut hours = [0; HOURS as usize];
    for row in &shown.rows {
        let ago = count(&row[1]).and_then(|ago| usize::try_from(ago).ok());
        if let (Some(ago), Some(jobs)) = (ago, count(&row[2]))
            && let Some(hour) = hours.iter_mut().rev().nth(ago)
        {
            *hour += jobs;
        }
    }
    let most = hours.iter().max().copied().unwrap_or_default();
    let title = format!("Completed in 24 h: {}, at most {most} an hour", hours.iter().sum::<u64>());
    let block = block(&title, &[shown], false, now);
    let inside = block.inner(area);
    frame.render_widget(block, area);
    let each = usize::from((inside.width / HOURS).max(1));
    let bars: Vec<u64> = hours.iter().flat_map(|hour| std::iter::repeat_n(*hour, each)).collect();
    let sparkline = Sparkline::default().data(&bars).max(most.max(1)).style(Style::new().fg(Color::Green));
    frame.render_widget(sparkline, inside);
}

/// Rows that a pane has room for, between its borders and below its heading.
fn room(area: Rect) -> usize {
    usize::from(area.height.saturating_sub(3))
}

fn in_words(duration: Duration) -> String {
    table::in_words(duration.as_secs_f64())
}
