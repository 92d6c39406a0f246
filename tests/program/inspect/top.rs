//! `top` in a terminal: its screen, its end, outages of the database, and the load budget.

use std::fs;
use std::time::{Duration, Instant};

use marie_exporter::demo::server::Server;
use marie_exporter::demo::shape::Shape;
use sqlx::{Connection, PgConnection};

use crate::inspect::terminal::Terminal;
use crate::support::databases::{Database, furnished, run};
use crate::support::process::{output, send, text};

const QUICK: [&str; 2] = ["--collector.interval=300ms", "--collector.load-budget=100%"];

fn top(url: &str, flags: &[&str]) -> Terminal {
    Terminal::running("", &[&["top", "--database-url", url], flags].concat(), 80, 24)
}

/// Asserts that the program has ended with 0 and restored the terminal.
fn assert_ended(terminal: &Terminal) {
    let screen = terminal.until("the end", |screen| screen.contains("ended with 0\n0\n"));
    assert!(!screen.contains("Queues"), "the screen before top is not restored: {screen}");
}

#[tokio::test]
async fn top_shows_queues_and_jobs_of_every_shape() {
    for shape in Shape::ALL {
        let mut database = Database::new(shape).await;
        let (active, stuck) = ("md5('running')::uuid", "md5('stuck')::uuid");
        database
            .run(&format!(
                "insert into job (id, name, state, started_on, dag_id) values
                     ({active}, 'extract', 'active', now() - interval '90 seconds', md5('dag')::uuid),
                     ({stuck}, 'extract', 'active', now() - interval '3 hours', md5('dag')::uuid);
                 insert into job (id, name, state, completed_on, dag_id) select md5(n::text)::uuid, 'extract', 'completed',
                     now() - interval '10 minutes', md5('dag')::uuid from generate_series(1, 7) as n"
            ))
            .await;
        let terminal = top(&database.url, &QUICK);
        let screen = terminal.until("all panes", |screen| {
            screen.contains("extract")
                && screen.contains("Completed in 24 h: 7, at most 7")
                && screen.contains("3h")
        });
        assert!(screen.contains("Stuck jobs (1)"), "{screen}");
        assert!(screen.contains("1m 3") || screen.contains("1m 4"), "{screen}");
        assert!(!screen.contains("could not") && !screen.contains("old"), "{screen}");
        terminal.press(&["q"]);
        assert_ended(&terminal);
    }
}

#[tokio::test]
async fn top_keeps_numbers_during_outage_and_recovers() {
    let mut server = Server::start().unwrap();
    let url = server.create_database("marie").await.unwrap();
    furnished(&url, Shape::New).await;
    let terminal = top(&url, &QUICK);
    terminal.until("the queue", |screen| screen.contains("extract"));
    server.stop().unwrap();
    let screen =
        terminal.until("the error", |screen| screen.contains("cannot connect to PostgreSQL at 127.0.0.1"));
    assert!(screen.contains("extract") && screen.contains("retry in"), "{screen}");
    server.start_again().unwrap();
    let mut admin = PgConnection::connect(&url).await.unwrap();
    run(
        &mut admin,
        "insert into marie_scheduler.job (id, name, dag_id) values (gen_random_uuid(), 'after', md5('dag')::uuid)",
    )
    .await;
    terminal.until("the new queue", |screen| screen.contains("after ") && !screen.contains("cannot connect"));
    terminal.press(&["Escape"]);
    assert_ended(&terminal);
}

#[tokio::test]
async fn pane_without_numbers_names_the_missing_column() {
    let mut database = Database::new(Shape::Page).await;
    database.run("alter table job rename column retry_count to retries").await;
    let terminal = top(&database.url, &QUICK);
    let refused = output(&["jobs", "stuck", "--database-url", &database.url]);
    let refused = text(&refused.stderr);
    let (_, lack) = refused.split_once("stuck.sql: ").unwrap();
    let lack = lack.trim();
    assert!(lack.starts_with("no ") && lack.contains("retry_count"), "{lack}");
    terminal.until("the lack", |screen| screen.matches(&format!("this database has {lack}")).count() == 2);
    terminal.press(&["q"]);
    assert_ended(&terminal);
}

#[tokio::test]
async fn signal_ends_top_like_a_key() {
    let database = Database::new(Shape::New).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pid");
    for signal in ["TERM", "INT"] {
        let arguments = ["top", "--database-url", &database.url];
        let terminal = Terminal::with_id_in(&file, &arguments, 100, 30);
        terminal.until("the queue", |screen| screen.contains("extract"));
        let id = fs::read_to_string(&file).unwrap();
        send(signal, id.trim().parse().unwrap());
        assert_ended(&terminal);
    }
    let terminal = top(&database.url, &QUICK);
    terminal.until("the queue", |screen| screen.contains("extract"));
    terminal.press(&["C-c"]);
    assert_ended(&terminal);
}

#[tokio::test]
async fn top_without_terminal_or_valid_time_zone_fails() {
    let database = Database::new(Shape::Page).await;
    let refused = output(&["top", "--database-url", &database.url]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(text(&refused.stderr).contains("top needs a terminal"), "{}", text(&refused.stderr));
    let terminal = top(&database.url, &["--timezone=Europe/Atlantis"]);
    terminal
        .until("the refusal", |screen| screen.contains("--timezone") && screen.contains("Europe/Atlantis"));
    terminal.press(&["q"]);
    assert_ended(&terminal);
}

/// With a budget of a tenth, a query of 0.2 s may run every 2 s.
#[tokio::test]
async fn pressed_keys_do_not_exceed_the_load_budget() {
    let mut database = Database::new(Shape::New).await;
    database
        .run("create function slow() returns text language plpgsql as $$ begin perform pg_sleep(0.2); return 'active'; end $$;
             alter table dag rename to dag_itself;
             create view dag as select id, slow() as state from dag_itself;
             insert into job (id, name, dag_id) values (gen_random_uuid(), 'extract', md5('dag')::uuid);
             do $$ begin execute format('alter database %I set track_functions = %L', current_database(), 'all'); end $$")
        .await;
    let calls = "select coalesce(sum(calls), 0)::int8 from pg_stat_user_functions where funcname = 'slow'";
    let terminal = top(&database.url, &["--collector.interval=300ms", "--collector.load-budget=10%"]);
    let mut reached = Vec::new();
    let began = Instant::now();
    while reached.len() < 4 {
        assert!(began.elapsed() < Duration::from_mins(1), "{}", terminal.screen());
        terminal.press(&["r"]);
        let count: i64 = sqlx::query_scalar(calls).fetch_one(&mut database.admin).await.unwrap();
        while reached.len() < usize::try_from(count).unwrap() {
            reached.push(began.elapsed());
        }
    }
    // PostgreSQL reports counted calls within a second.
    assert!(reached[3] > reached[0] + Duration::from_secs(3 * 2 - 1), "{reached:?}");
    terminal.press(&["q"]);
    assert_ended(&terminal);
}
