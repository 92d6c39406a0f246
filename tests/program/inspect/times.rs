//! Printed times: unusual dates, and time zones.

use marie_exporter::demo::shape::Shape;
use serde_json::Value;

use crate::inspect::in_process;
use crate::inspect::printed::{commands, id, json, printed};
use crate::support::databases::Database;
use crate::support::long_tests::is_long_run;
use crate::support::process::{output, text};

#[tokio::test]
async fn unusual_dates_are_printed_unchanged() {
    let dates = [
        "infinity",
        "-infinity",
        "10000-01-01 00:00:00+00",
        "0044-03-15 12:00:00+00 BC",
        "1969-07-20 20:17:40+00",
    ];
    for (place, shape) in Shape::ALL.into_iter().enumerate() {
        let mut database = Database::new(shape).await;
        let is_page = shape == Shape::Page;
        if !is_page {
            database.run("alter table job disable trigger all").await;
        }
        let states = ["created", "retry", "active", "completed", "failed"];
        let mut number = 0;
        for date in dates.map(|date| format!("'{date}'")).into_iter().chain(["null".to_owned()]) {
            for state in states {
                number += 1;
                let created = if date == "null" { "now()" } else { &date };
                // start_after is set too, except in the shape without that column.
                let (column, value) = if is_page { ("", "") } else { (", start_after", created) };
                let comma = if is_page { "" } else { ", " };
                database
                    .run(&format!(
                        "insert into job (id, name, dag_id, state, created_on, started_on, completed_on {column})
                         values ('{}', 'extract', md5('dag')::uuid, '{state}', {created}, {date}, {date} {comma}{value})",
                        id(number)
                    ))
                    .await;
            }
        }
        let dag =
            json(&database.url, &["jobs", "list", "--limit=1"])[0]["dag_id"].as_str().unwrap().to_owned();
        for (words, number) in commands(shape, &id(3), &dag).into_iter().zip(place..) {
            let formats = ["--format=table", "--format=json"];
            // The short run checks one of the formats, and the other one on the next shape.
            let formats = if is_long_run() { &formats[..] } else { &formats[number % 2..][..1] };
            for format in formats {
                printed(&database.url, &[&words[..], &[format]].concat());
            }
        }
        for job in 1..=number {
            let (date, state) = ((job - 1) / states.len(), (job - 1) % states.len());
            if !is_long_run() && state != (date + place) % states.len() {
                continue;
            }
            let shown = in_process::json(&database.url, &["jobs", "show", &id(job)]).await;
            let date = dates.get(date);
            let expected = date.map(|date| match date.split_once(' ') {
                Some(("0044-03-15", _)) => "0044-03-15T12:00:00+00:00 BC".to_owned(),
                Some(_) => date.replace(' ', "T") + ":00",
                None => (*date).to_owned(),
            });
            assert_eq!(shown["job"]["started_on"], Value::from(expected), "{job} on {}", shape.name());
        }
    }
}

#[tokio::test]
async fn times_are_printed_in_the_chosen_zone_all_year() {
    let mut database = Database::new(Shape::Page).await;
    for (number, created) in [(2, "2026-07-01 12:00:00.5+00"), (1, "2026-12-01 12:00:00+00")] {
        let insert = format!(
            "insert into job (id, name, created_on) values ('{}', 'extract', '{created}')",
            id(number)
        );
        database.run(&insert).await;
    }
    for (zone, summer, winter) in [
        ("Europe/Berlin", "2026-07-01 14:00:00+02:00", "2026-12-01 13:00:00+01:00"),
        ("UTC", "2026-07-01 12:00:00Z", "2026-12-01 12:00:00Z"),
        ("America/St_Johns", "2026-07-01 09:30:00-02:30", "2026-12-01 08:30:00-03:30"),
    ] {
        let table = printed(&database.url, &["jobs", "list", "--timezone", zone]);
        let lines: Vec<&str> = table.lines().collect();
        assert!(lines[1].contains(summer) && lines[2].contains(winter), "{zone}: {table}");
    }
    // As in ISO 8601, east of UTC is positive.
    for (zone, summer) in [
        ("+05:30", "2026-07-01 17:30:00+05:30"),
        ("+0530", "2026-07-01 17:30:00+05:30"),
        ("UTC+05:30", "2026-07-01 17:30:00+05:30"),
        ("<+05:30>-05:30", "2026-07-01 17:30:00+05:30"),
        ("+05", "2026-07-01 17:00:00+05:00"),
        ("+5", "2026-07-01 17:00:00+05:00"),
        ("5.5", "2026-07-01 17:30:00+05:30"),
        ("UTC+2", "2026-07-01 14:00:00+02:00"),
        ("GMT-3", "2026-07-01 09:00:00-03:00"),
        ("-03:30", "2026-07-01 08:30:00-03:30"),
        ("-03", "2026-07-01 09:00:00-03:00"),
        ("Etc/GMT+3", "2026-07-01 09:00:00-03:00"),
        ("EST5EDT", "2026-07-01 08:00:00-04:00"),
        ("Z", "2026-07-01 12:00:00Z"),
    ] {
        let table = printed(&database.url, &["jobs", "list", &format!("--timezone={zone}")]);
        assert!(table.contains(summer), "{zone}: {table}");
        let instant =
            format!("select '{}'::timestamptz = '2026-07-01 12:00:00Z'", summer.replace('Z', "+00"));
        let is_same: bool =
            sqlx::query_scalar(sqlx::AssertSqlSafe(instant)).fetch_one(&mut database.admin).await.unwrap();
        assert!(is_same, "{zone}: {summer} is another instant");
    }
    for zone in ["CET+1", "IST-5:30", "05:30", "+24:00"] {
        let refused =
            output(&["jobs", "list", "--database-url", &database.url, &format!("--timezone={zone}")]);
        assert!(text(&refused.stderr).contains("Asia/Kolkata"), "{zone}: {}", text(&refused.stderr));
    }
    let csv = printed(&database.url, &["jobs", "list", "--timezone=Europe/Berlin", "--format=csv"]);
    assert!(csv.contains(",2026-07-01T14:00:00.5+02:00,"), "{csv}");
    let refused = output(&["jobs", "list", "--database-url", &database.url, "--timezone=Europe/Atlantis"]);
    assert_eq!(refused.status.code(), Some(1));
    let error = text(&refused.stderr);
    assert!(error.contains("--timezone") && error.contains("Europe/Atlantis"), "{error}");
}
