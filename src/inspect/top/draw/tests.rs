//! The picture at many sizes, drawn without a terminal.

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::*;

fn picture(width: u16, height: u16, numbers: &Numbers, view: &mut View, now: Instant) -> Vec<String> {
    let Ok(mut terminal) = Terminal::new(TestBackend::new(width, height));
    let Ok(_) = terminal.draw(|frame| draw(frame, numbers, "marie_scheduler", view, now));
    let buffer = terminal.backend().buffer();
    let line = |y| (0..width).map(|x| buffer[(x, y)].symbol()).collect::<String>();
    (0..height).map(|y| line(y).trim_end().to_owned()).collect()
}

fn latest<R: DeserializeOwned>(now: Instant, rows: Value) -> Latest<R> {
    let status = Status { taken: Some(now), failure: None };
    Latest { rows: serde_json::from_value(rows).unwrap(), status }
}

fn numbers(now: Instant) -> Numbers {
    let id = "0192f0c1-2d3e-7f00-8000-000000000001";
    Numbers {
        database: "marie".to_owned(),
        instant: "2026-11-24T22:15:03.123456+00:00".to_owned(),
        refreshed: Some(now),
        queues: latest(
            now,
            json!([
                {"queue": "extract", "created": 3, "retry": 1, "active": 2, "stuck": 0},
                {"queue": "hung\u{1b}[2J", "created": 0, "retry": 0, "active": 4, "stuck": 4},
            ]),
        ),
        ready: latest(now, json!([{"queue": "extract", "ready": 2}])),
        stuck: latest(
            now,
            json!([{
                "id": id, "queue": "hung", "active_for": 7384.2, "threshold": 3600, "retry_count": 1,
                "dag_id": id,
            }]),
        ),
        running: latest(
            now,
            json!([{"id": id, "queue": "extract", "active_for": 12.0, "retry_count": 0, "dag_id": id}]),
        ),
        completed: latest(
            now,
            json!([
                {"queue": "extract", "hours_ago": 0, "jobs": 10},
                {"queue": "extract", "hours_ago": 23, "jobs": 5},
                {"queue": "idle", "hours_ago": 0, "jobs": 1},
            ]),
        ),
        trouble: None,
    }
}

/// Nine queues, nine stuck jobs and nine running jobs.
fn nine_of_each(now: Instant) -> Numbers {
    let queue = |n| json!({"queue": format!("queue {n}"), "created": n, "retry": 0, "active": 1, "stuck": 0});
    let job = |n| {
        json!({
            "id": format!("0192f0c1-2d3e-7f00-8000-{n:012}"), "queue": "extract", "active_for": 7384.2,
            "threshold": 3600, "retry_count": 1, "dag_id": null,
        })
    };
    Numbers {
        queues: latest(now, (0..9).map(queue).collect()),
        ready: latest(now, json!([])),
        stuck: latest(now, (0..9).map(job).collect()),
        running: latest(now, (0..9).map(job).collect()),
        completed: latest(now, json!([])),
        ..numbers(now)
    }
}

fn press(view: &mut View, code: KeyCode) {
    view.handle(&Event::Key(KeyEvent::new(code, KeyModifiers::NONE)));
}

#[test]
fn terminal_of_80_by_24_shows_all_panes() {
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
fn terminal_of_60_by_20_shows_three_rows_a_pane() {
    let now = Instant::now();
    let picture = picture(60, 20, &nine_of_each(now), &mut View::new(), now + Duration::from_secs(4));
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
            let expected = format!("│0192f0c1-2d3e-7f00-8000-00000000000{} extract         2h 3m│", row - 2);
            assert_eq!(picture[line + row], expected, "{text}");
        }
    }
    assert!(!text.contains("Completed"), "{text}");
}

#[test]
fn small_terminal_shows_the_chosen_pane_only() {
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
        let picture = picture(40, 10, &nine_of_each(now), &mut view, now + Duration::from_secs(4));
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
fn old_numbers_stay_and_show_their_age() {
    let now = Instant::now();
    let mut numbers = numbers(now);
    let later = now + Duration::from_secs(95);
    numbers.trouble = Some(("cannot connect to PostgreSQL".to_owned(), later + Duration::from_secs(8)));
    numbers.running.status.failure = Some("running.sql: statement timeout".to_owned());
    let text = picture(100, 30, &numbers, &mut View::new(), later).join("\n");
    for shown in [
        "1m 35s ago",
        "─ 1m 35s old ┐",
        "─ running.sql: statement timeout ┐",
        "│extract",
        " retry in 8s: cannot connect to PostgreSQL",
    ] {
        assert!(text.contains(shown), "{shown} is not in\n{text}");
    }
}

#[test]
fn any_size_is_drawn() {
    let now = Instant::now();
    for (width, height) in [(1, 1), (3, 2), (10, 5), (40, 10), (80, 15), (116, 16), (400, 120)] {
        for numbers in [numbers(now), Numbers::default()] {
            picture(width, height, &numbers, &mut View::new(), now);
        }
    }
}

#[test]
fn scrolled_pane_shows_its_last_rows() {
    let now = Instant::now();
    let mut numbers = numbers(now);
    let queue = |n| json!({"queue": format!("queue {n:02}"), "created": 100 - n, "retry": 0, "active": 0, "stuck": 0});
    numbers.queues = latest(now, (0..50).map(queue).collect());
    let mut view = View::new();
    assert!(picture(80, 24, &numbers, &mut view, now)[3].contains("queue 00"));
    press(&mut view, KeyCode::End);
    let picture = picture(80, 24, &numbers, &mut view, now).join("\n");
    // Queues without unfinished jobs come last.
    assert!(picture.contains("idle") && !picture.contains("queue 10"), "{picture}");
}
