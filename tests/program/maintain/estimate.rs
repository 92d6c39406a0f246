//! Compares the estimated time of a clean-up with the real one, with expensive foreign keys.

use std::time::{Duration, Instant};

use marie_exporter::demo::shape::Shape;

use crate::maintain::scheduler::Scheduler;

/// Returns the time that a plan estimates.
fn estimated_time(printed: &str) -> Duration {
    let (_, rest) = printed.split_once("It may take about ").unwrap();
    let words: Vec<&str> = rest.split(' ').take_while(|word| *word != "in").collect();
    humantime::parse_duration(&words.join(" ")).unwrap_or_else(|error| panic!("{error}: {printed}"))
}

/// Runs a clean-up, compares its time with the estimate, and returns the plan.
fn compare(scheduler: &Scheduler, arguments: &[&str]) -> String {
    let planned = scheduler.maintain(arguments).expect_success();
    let estimate = estimated_time(&planned);
    let began = Instant::now();
    let printed = scheduler.maintain(&[arguments, &["--execute"]].concat()).expect_success();
    let took = began.elapsed();
    let line = printed.lines().find(|line| line.contains(" rows of dag deleted")).unwrap();
    eprintln!("{arguments:?}: estimated {estimate:?}, took {took:?}: {line}");
    // A rough bound, because the machine may be busy during one of the two.
    assert!(estimate < took * 3 && took < estimate * 10, "estimated {estimate:?}, took {took:?}");
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
    // Like Marie's table, this one has no index on its column.
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
