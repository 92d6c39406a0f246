//! `top`'s picture: a header, the panes, a line for what is wrong. It knows the numbers and the view, never the database,
//! so a test can look at it.

use std::collections::BTreeMap;
use std::time::Duration;

use ratatui::Frame;
use ratatui::layout::{Alignment, Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Paragraph, Row, Sparkline, Table, Wrap};
use serde_json::Value;
use tokio::time::Instant;

use super::feed::{Numbers, Shown};
use super::panes::{JOBS, Part};
use super::view::{Pane, View};
use crate::operator::print;

const KEYS: &str = "q quit  Tab pane  ↑↓ scroll  r refresh";

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
    let throughput = Constraint::Length(if body.height < 16 { 0 } else { 5 });
    let fills = [Constraint::Fill(3), Constraint::Fill(2), Constraint::Fill(2)];
    let (queues, stuck, running, completed) = if body.width < WIDE {
        let [queues, stuck, running, completed] =
            Layout::vertical([fills[0], fills[1], fills[2], throughput]).areas(body);
        (queues, stuck, running, completed)
    } else {
        let [above, stuck, running] = Layout::vertical(fills).areas(body);
        let [queues, completed] =
            Layout::horizontal([Constraint::Fill(1), Constraint::Length(2 * HOURS + 2)]).areas(above);
        (queues, stuck, running, completed)
    };
    draw_queues(frame, queues, numbers, view, now);
    let of_stuck = numbers.part(Part::Stuck);
    draw_jobs(frame, stuck, (Pane::Stuck, "Stuck jobs", of_stuck), view, now);
    let of_running = numbers.part(Part::Running);
    draw_jobs(frame, running, (Pane::Running, "Running jobs", of_running), view, now);
    draw_completed(frame, completed, numbers.part(Part::Completed), now);
}

fn draw_header(frame: &mut Frame<'_>, area: Rect, numbers: &Numbers, schema: &str, now: Instant) {
    let schema = print::harmless_text(schema);
    let place = if numbers.database.is_empty() {
        format!(" schema {schema}")
    } else {
        format!(" {} · schema {schema}", print::harmless_text(&numbers.database))
    };
    let age = match numbers.refreshed {
        Some(refreshed) => {
            let ago = in_words(now.saturating_duration_since(refreshed));
            format!("{} · {ago} ago ", print::to_the_second(&numbers.instant))
        }
        None => "no numbers yet ".to_owned(),
    };
    let bar = Style::new().add_modifier(Modifier::REVERSED);
    frame.render_widget(Paragraph::new(place).style(bar), area);
    let width = u16::try_from(age.chars().count()).unwrap_or(area.width).min(area.width);
    let right = Rect { x: area.x + area.width - width, width, ..area };
    frame.render_widget(Paragraph::new(age).style(bar).alignment(Alignment::Right), right);
}

/// The keys, or what is wrong and when it is tried again; and how many lines of the screen that takes.
fn last_line(numbers: &Numbers, width: u16, now: Instant) -> (Line<'static>, u16) {
    let Some((why, again)) = &numbers.trouble else {
        return (Line::styled(format!(" {KEYS}"), Style::new().add_modifier(Modifier::DIM)), 1);
    };
    let again = in_words(again.saturating_duration_since(now));
    let text = format!(" again in {again}: {}", print::harmless_text(why));
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
        (_, Some(why)) => (print::harmless_text(why), Style::new().fg(Color::Red)),
        (None, None) => ("…".to_owned(), Style::new()),
        (Some(age), None) if age > OLD => (format!("{} old", in_words(age)), Style::new().fg(Color::Yellow)),
        (Some(_), None) => (String::new(), Style::new()),
    };
    let border = if is_chosen { Style::new().fg(Color::Cyan) } else { Style::new() };
    let title = Span::styled(format!(" {title} "), Style::new().add_modifier(Modifier::BOLD));
    let block = Block::bordered().border_style(border).title(title);
    if age.is_empty() { block } else { block.title(Line::styled(format!(" {age} "), style).right_aligned()) }
}

#[derive(Default)]
struct Queue {
    created: u64,
    retry: u64,
    ready: u64,
    active: u64,
    stuck: u64,
    completed: u64,
}

fn queues(numbers: &Numbers) -> Vec<(&str, Queue)> {
    fn of<'a, 'b>(queues: &'b mut BTreeMap<&'a str, Queue>, row: &'a [Value]) -> &'b mut Queue {
        queues.entry(row[0].as_str().unwrap_or_default()).or_default()
    }
    let mut queues: BTreeMap<&str, Queue> = BTreeMap::new();
    for row in &numbers.part(Part::Queues).rows {
        let queue = of(&mut queues, row);
        [queue.created, queue.retry, queue.active, queue.stuck] =
            [1, 2, 3, 4].map(|place| count(&row[place]));
    }
    for row in &numbers.part(Part::Ready).rows {
        of(&mut queues, row).ready = count(&row[1]);
    }
    for row in numbers.part(Part::Completed).rows.iter().filter(|row| row[1] == 0) {
        of(&mut queues, row).completed = count(&row[2]);
    }
    let mut queues: Vec<_> = queues.into_iter().collect();
    // Those that need someone first, then the busiest.
    queues.sort_by_key(|(_, queue)| {
        std::cmp::Reverse((queue.stuck, queue.created + queue.retry + queue.active, queue.completed))
    });
    queues
}

fn draw_queues(frame: &mut Frame<'_>, area: Rect, numbers: &Numbers, view: &mut View, now: Instant) {
    let queues = queues(numbers);
    let parts = [Part::Queues, Part::Ready].map(|part| numbers.part(part));
    let title = format!("Queues ({})", queues.len());
    let block = block(&title, &parts, view.chosen == Pane::Queues, now);
    let first = view.first_row(Pane::Queues, queues.len(), room(area));
    let rows = queues.iter().skip(first).map(|(name, queue)| {
        let is_stuck = if queue.stuck > 0 { Style::new().fg(Color::Red) } else { Style::new() };
        let number = |number: u64| Line::from(number.to_string()).right_aligned();
        Row::new(vec![
            Line::from(print::harmless_text(name)),
            number(queue.created),
            number(queue.retry),
            number(queue.ready),
            number(queue.active),
            number(queue.stuck).style(is_stuck),
            number(queue.completed),
        ])
    });
    let mut widths = vec![Constraint::Fill(1)];
    widths.extend([7, 6, 6, 6, 6, 7].map(Constraint::Length));
    let heading = heading(&["QUEUE"], &["CREATED", "RETRY", "READY", "ACTIVE", "STUCK", "DONE 1H"], None);
    frame.render_widget(Table::new(rows, widths).header(heading).block(block), area);
}

/// Jobs with how long they have run; a threshold only where the part has one.
fn draw_jobs(
    frame: &mut Frame<'_>,
    area: Rect,
    (pane, name, shown): (Pane, &str, &Shown),
    view: &mut View,
    now: Instant,
) {
    let has_threshold = pane == Pane::Stuck;
    let count = shown.rows.len();
    let more = if i64::try_from(count) == Ok(JOBS) { "+" } else { "" };
    let block = block(&format!("{name} ({count}{more})"), &[shown], view.chosen == pane, now);
    let first = view.first_row(pane, count, room(area));
    let dags = area.width >= WIDE;
    let rows = shown.rows.iter().skip(first).map(|row| {
        let (retries, dag) = if has_threshold { (&row[4], &row[5]) } else { (&row[3], &row[4]) };
        let right = |text: String| Line::from(text).right_aligned();
        let mut cells = vec![Line::from(text(&row[0])), Line::from(text(&row[1])), right(seconds(&row[2]))];
        if has_threshold {
            cells.push(right(seconds(&row[3])));
        }
        cells.push(right(text(retries)));
        if dags {
            cells.push(Line::from(text(dag)));
        }
        Row::new(cells)
    });
    let mut widths = vec![Constraint::Length(36), Constraint::Fill(1), Constraint::Length(10)];
    let mut numbers = vec!["ACTIVE FOR"];
    if has_threshold {
        widths.push(Constraint::Length(9));
        numbers.push("THRESHOLD");
    }
    widths.push(Constraint::Length(7));
    numbers.push("RETRIES");
    if dags {
        widths.push(Constraint::Length(36));
    }
    let heading = heading(&["JOB", "QUEUE"], &numbers, dags.then_some("DAG"));
    frame.render_widget(Table::new(rows, widths).header(heading).block(block), area);
}

fn heading(texts: &[&'static str], numbers: &[&'static str], last: Option<&'static str>) -> Row<'static> {
    let texts = texts.iter().map(|name| Line::from(*name));
    let numbers = numbers.iter().map(|name| Line::from(*name).right_aligned());
    Row::new(texts.chain(numbers).chain(last.map(Line::from))).style(Style::new().add_modifier(Modifier::DIM))
}

/// A bar for each of the last 24 hours, the latest on the right.
fn draw_completed(frame: &mut Frame<'_>, area: Rect, shown: &Shown, now: Instant) {
    let mut hours = [0; HOURS as usize];
    for row in &shown.rows {
        let ago = usize::try_from(count(&row[1])).unwrap_or(usize::MAX);
        if let Some(hour) = hours.iter_mut().rev().nth(ago) {
            *hour += count(&row[2]);
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

fn count(value: &Value) -> u64 {
    value.as_u64().unwrap_or_default()
}

fn text(value: &Value) -> String {
    print::shown(value, crate::operator::listing::Kind::Text, 0.0)
}

fn seconds(value: &Value) -> String {
    print::shown(value, crate::operator::listing::Kind::Duration, 0.0)
}

fn in_words(duration: Duration) -> String {
    print::in_words(duration.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;
    use serde_json::json;

    use super::*;

    fn picture(width: u16, height: u16, numbers: &Numbers, view: &mut View, now: Instant) -> Vec<String> {
        let Ok(mut terminal) = Terminal::new(TestBackend::new(width, height));
        let Ok(_) = terminal.draw(|frame| draw(frame, numbers, "marie_scheduler", view, now));
        let buffer = terminal.backend().buffer();
        let line = |y| (0..width).map(|x| buffer[(x, y)].symbol()).collect::<String>();
        (0..height).map(|y| line(y).trim_end().to_owned()).collect()
    }

    fn numbers(now: Instant) -> Numbers {
        let rows = |rows: Value| {
            let rows = rows.as_array().into_iter().flatten();
            let rows = rows.map(|row| row.as_array().cloned().unwrap_or_default()).collect();
            Shown { rows, taken: Some(now), failure: None }
        };
        let id = "0192f0c1-2d3e-7f00-8000-000000000001";
        Numbers {
            database: "marie".to_owned(),
            instant: "2026-11-24T22:15:03.123456+00:00".to_owned(),
            refreshed: Some(now),
            parts: [
                rows(json!([["extract", 3, 1, 2, 0], ["hung\u{1b}[2J", 0, 0, 4, 4]])),
                rows(json!([["extract", 2]])),
                rows(json!([[id, "hung", 7384.2, 3600, 1, id]])),
                rows(json!([[id, "extract", 12.0, 0, id]])),
                rows(json!([["extract", 0, 10], ["extract", 23, 5], ["idle", 0, 1]])),
            ],
            trouble: None,
        }
    }

    #[test]
    fn eighty_columns_and_twenty_four_lines_hold_all_of_it() {
        let now = Instant::now();
        let picture = picture(80, 24, &numbers(now), &mut View::new(), now + Duration::from_secs(4));
        let text = picture.join("\n");
        for shown in [
            " marie · schema marie_scheduler",
            "2026-11-24 22:15:03Z · 4s ago",
            "│QUEUE                              CREATED  RETRY  READY ACTIVE  STUCK DONE 1H│",
            "│hung\\u{1b}[2J                            0      0      0      4      4       0│",
            "│extract                                  3      1      2      2      0      10│",
            "Stuck jobs (1)",
            "│0192f0c1-2d3e-7f00-8000-000000000001 hung              2h 3m        1h       1│",
            "Running jobs (1)",
            "│0192f0c1-2d3e-7f00-8000-000000000001 extract                       12s       0│",
            "Completed in 24 h: 16, at most 11 an hour",
            " q quit  Tab pane  ↑↓ scroll  r refresh",
        ] {
            assert!(text.contains(shown), "{shown} is not in\n{text}");
        }
        assert!(picture[2].starts_with("│QUEUE") && picture[3].starts_with("│hung"), "{text}");
        // The latest hour is on the right.
        assert!(picture[21].starts_with("│███   ") && picture[21].ends_with("   ███      │"), "{text}");
        assert!(picture[19].starts_with("│      ") && picture[19].ends_with("   ███      │"), "{text}");
    }

    #[test]
    fn numbers_that_grow_old_stay_and_say_so() {
        let now = Instant::now();
        let mut numbers = numbers(now);
        let later = now + Duration::from_secs(95);
        numbers.trouble = Some(("cannot connect to PostgreSQL".to_owned(), later + Duration::from_secs(8)));
        numbers.parts[Part::Running as usize].failure = Some("running.sql: statement timeout".to_owned());
        let text = picture(100, 30, &numbers, &mut View::new(), later).join("\n");
        for shown in [
            "1m 35s ago",
            "─ 1m 35s old ┐",
            "─ running.sql: statement timeout ┐",
            "│extract",
            " again in 8s: cannot connect to PostgreSQL",
        ] {
            assert!(text.contains(shown), "{shown} is not in\n{text}");
        }
    }

    #[test]
    fn no_size_is_too_small_or_too_large_to_be_drawn() {
        let now = Instant::now();
        for (width, height) in [(1, 1), (3, 2), (10, 5), (40, 10), (80, 15), (116, 16), (400, 120)] {
            for numbers in [numbers(now), Numbers::default()] {
                picture(width, height, &numbers, &mut View::new(), now);
            }
        }
    }

    #[test]
    fn a_pane_shows_the_rows_that_it_was_scrolled_to() {
        use ratatui::crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers};
        let now = Instant::now();
        let mut numbers = numbers(now);
        numbers.parts[Part::Queues as usize].rows = (0..50)
            .map(|n| vec![json!(format!("queue {n:02}")), json!(100 - n), json!(0), json!(0), json!(0)])
            .collect();
        let mut view = View::new();
        assert!(picture(80, 24, &numbers, &mut view, now)[3].contains("queue 00"));
        view.take(&Event::Key(KeyEvent::new(KeyCode::End, KeyModifiers::NONE)));
        let picture = picture(80, 24, &numbers, &mut view, now).join("\n");
        // Those without unfinished jobs come last.
        assert!(picture.contains("idle") && !picture.contains("queue 10"), "{picture}");
    }
}
