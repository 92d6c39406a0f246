//! The picture at sizes from a watch to a wall, without a terminal.

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers};
use serde_json::{Value, json};

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
    many.parts[Part::Queues as usize].rows =
        (0..9).map(|n| vec![json!(format!("queue {n}")), json!(n), json!(0), json!(1), json!(0)]).collect();
    many.parts[Part::Ready as usize].rows.clear();
    many.parts[Part::Completed as usize].rows.clear();
    let job = |n| vec![json!(format!("0192f0c1-2d3e-7f00-8000-{n:012}")), json!("extract"), json!(7384.2)];
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
fn each_pane_shows_three_rows_in_60_columns_by_20_lines() {
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
            let expected = format!("│0192f0c1-2d3e-7f00-8000-00000000000{} extract         2h 3m│", row - 2);
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
