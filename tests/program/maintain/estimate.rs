//! The estimate of a clean-up against what it takes, where foreign keys are dear.

use std::time::{Duration, Instant};

use marie_exporter::demo::shape::Shape;

use crate::maintain::scheduler::Scheduler;

/// The time that a plan announces.
fn announced(told: &str) -> Duration {
    let (_, rest) = told.split_once("It may take about ").unwrap();
    let words: Vec<&str> = rest.split(' ').take_while(|word| *word != "in").collect();
    humantime::parse_duration(&words.join(" ")).unwrap_or_else(|error| panic!("{error}: {told}"))
}

/// Runs a clean-up and compares what it takes with what it has announced.
fn compare(scheduler: &Scheduler, arguments: &[&str]) -> String {
    let planned = scheduler.maintain(arguments).expect();
    let announced = announced(&planned);
    let began = Instant::now();
    let told = scheduler.maintain(&[arguments, &["--execute"]].concat()).expect();
    let took = began.elapsed();
    let line = told.lines().find(|line| line.contains(" rows of dag deleted")).unwrap();
    eprintln!("{arguments:?}: announced {announced:?}, took {took:?}: {line}");
    // Only a rough bound, because the machine may be busy in one of the two.
    assert!(announced < took * 3 && took < announced * 10, "announced {announced:?}, took {took:?}");
    planned
}

#[tokio::test]
async fn estimate_follows_partitions_and_foreign_keys() {
    let mut scheduler = Scheduler::new(Shape::Mid, 3000, 0.6).await;
    let queues = "do $do$ begin
        for number in 1..37 loop perform create_queue('queue ' || number, '{}'); end loop;
    end $do$;
    analyze";
    scheduler.database.run(queues).await;
    let partitions = "select count(*) from pg_inherits where inhparent = 'job'::regclass";
    assert_eq!(scheduler.count(partitions).await, 40);
    compare(&scheduler, &["purge", "failed", "--older-than=30d"]);
    // No index on its column, as in Marie's.
    scheduler
        .database
        .run(
            "create table processor_executions (dag_id uuid references dag (id) on delete set null, what text);
             insert into processor_executions select null, repeat('x', 100) from generate_series(1, 20000);
             analyze",
        )
        .await;
    let planned = compare(&scheduler, &["purge", "completed", "--older-than=30d"]);
    assert!(planned.contains("most of it for foreign keys that are checked for each row"), "{planned}");
    let stay = "stay without their reference: \"marie_scheduler\".\"processor_executions\".";
    assert!(planned.contains(stay), "{planned}");
}
