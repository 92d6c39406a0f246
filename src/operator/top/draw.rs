//! `top`'s picture: a header, the panes, a line for what is wrong. It knows the numbers and the view, never the database,
//! so a test can look at it.

use std::collections::BTreeMap;
use std::time::Duration;

use ratatui::Frame;
use ratatui::layout::{Alignment, Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Paragraph, Sparkline, Table, Wrap};
use serde_json::Value;
use tokio::time::Instant;

use super::columns::{Column, Kept, OF_QUEUES, OF_RUNNING, OF_STUCK};
use super::feed::{Numbers, Shown};
use super::panes::{JOBS, Part};
use super::view::{Pane, View};
use crate::operator::print;

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
    let schema = format!(" schema {}", print::harmless_text(schema));
    let place = match numbers.database.as_str() {
        "" => schema.clone(),
        database => format!(" {} ·{schema}", print::harmless_text(database)),
    };
    let (instant, age) = match numbers.refreshed {
        Some(refreshed) => {
            let age = format!("{} ago ", in_words(now.saturating_duration_since(refreshed)));
            (format!("{} · {age}", print::to_the_second(&numbers.instant)), age)
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
    let columns = Kept::of(OF_QUEUES, block.inner(area).width);
    let rows = queues.iter().skip(first).map(|(name, queue)| {
        let is_stuck = if queue.stuck > 0 { Style::new().fg(Color::Red) } else { Style::new() };
        let number = |number: u64| Line::from(number.to_string());
        columns.row(&[
            Line::from(print::harmless_text(name)),
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
    let more = if i64::try_from(count) == Ok(JOBS) { "+" } else { "" };
    let title = format!("{} ({count}{more})", jobs.name);
    let block = block(&title, &[shown], view.chosen == jobs.pane, now);
    let first = view.first_row(jobs.pane, count, room(area));
    let columns = Kept::of(jobs.columns, block.inner(area).width);
    let kinds = jobs.part.listing().columns.iter().map(|column| column.kind);
    let rows = shown.rows.iter().skip(first).map(|row| {
        let cells =
            row.iter().zip(kinds.clone()).map(|(value, kind)| Line::from(print::shown(value, kind, 0.0)));
        columns.row(&cells.collect::<Vec<_>>())
    });
    frame.render_widget(Table::new(rows, columns.widths()).header(columns.heading()).block(block), area);
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

fn in_words(duration: Duration) -> String {
    print::in_words(duration.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;
    use ratatui::crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers};
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

    /// Nine queues, nine stuck jobs and nine that run.
    fn many(now: Instant) -> Numbers {
        let mut many = numbers(now);
        many.parts[Part::Queues as usize].rows = (0..9)
            .map(|n| vec![json!(format!("queue {n}")), json!(n), json!(0), json!(1), json!(0)])
            .collect();
        many.parts[Part::Ready as usize].rows.clear();
        many.parts[Part::Completed as usize].rows.clear();
        let job =
            |n| vec![json!(format!("0192f0c1-2d3e-7f00-8000-{n:012}")), json!("extract"), json!(7384.2)];
        let with = |more: &[Value]| (0..9).map(|n| [job(n), more.to_vec()].concat()).collect();
        many.parts[Part::Stuck as usize].rows = with(&[json!(3600), json!(1), Value::Null]);
        many.parts[Part::Running as usize].rows = with(&[json!(1), Value::Null]);
        many
    }

    fn press(view: &mut View, code: KeyCode) {
        view.take(&Event::Key(KeyEvent::new(code, KeyModifiers::NONE)));
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
        assert!(picture[21].starts_with("│▃▃▃   ") && picture[21].ends_with("   ███      │"), "{text}");
    }

    #[test]
    fn in_sixty_columns_and_twenty_lines_each_pane_shows_three_whole_rows() {
        let now = Instant::now();
        let picture = picture(60, 20, &many(now), &mut View::new(), now + Duration::from_secs(4));
        let text = picture.join("\n");
        assert_eq!(picture[0], " schema marie_scheduler       2026-11-24 22:15:03Z · 4s ago");
        assert_eq!(picture[2], "│QUEUE          CREATED  RETRY  READY ACTIVE  STUCK DONE 1H│");
        for (title, line) in [("Stuck jobs (9)", 7), ("Running jobs (9)", 13)] {
            assert!(picture[line].contains(title), "{text}");
            assert_eq!(
                picture[line + 1],
                "│JOB                                  QUEUE      ACTIVE FOR│",
                "{text}"
            );
            for row in 2..5 {
                let expected =
                    format!("│0192f0c1-2d3e-7f00-8000-00000000000{} extract         2h 3m│", row - 2);
                assert_eq!(picture[line + row], expected, "{text}");
            }
        }
        assert!(!text.contains("Completed"), "{text}");
    }

    #[test]
    fn where_three_panes_have_no_room_the_chosen_one_has_all_of_it() {
        let now = Instant::now();
        let mut view = View::new();
        for (title, heading, row) in [
            (
                "Queues (9)",
                "│QUEUE              READY ACTIVE  STUCK│",
                "│queue 8                0      1      0│",
            ),
            (
                "Stuck jobs (9)",
                "│JOB                                   │",
                "│0192f0c1-2d3e-7f00-8000-000000000004  │",
            ),
            (
                "Running jobs (9)",
                "│JOB                                   │",
                "│0192f0c1-2d3e-7f00-8000-000000000004  │",
            ),
        ] {
            let picture = picture(40, 10, &many(now), &mut view, now + Duration::from_secs(4));
            let text = picture.join("\n");
            assert_eq!(picture[0], " schema marie_scheduler          4s ago", "{text}");
            assert!(picture[1].starts_with(&format!("┌ {title} ─")), "{text}");
            assert_eq!(text.matches('┌').count(), 1, "{text}");
            assert_eq!(picture[2], heading, "{text}");
            assert!(picture[3..8].iter().all(|line| line.len() > 40) && text.contains(row), "{text}");
            assert_eq!(picture[9], " q quit  Tab pane  ↑↓ scroll  r refresh");
            press(&mut view, KeyCode::Tab);
        }
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
        let now = Instant::now();
        let mut numbers = numbers(now);
        numbers.parts[Part::Queues as usize].rows = (0..50)
            .map(|n| vec![json!(format!("queue {n:02}")), json!(100 - n), json!(0), json!(0), json!(0)])
            .collect();
        let mut view = View::new();
        assert!(picture(80, 24, &numbers, &mut view, now)[3].contains("queue 00"));
        press(&mut view, KeyCode::End);
        let picture = picture(80, 24, &numbers, &mut view, now).join("\n");
        // Those without unfinished jobs come last.
        assert!(picture.contains("idle") && !picture.contains("queue 10"), "{picture}");
    }
}
