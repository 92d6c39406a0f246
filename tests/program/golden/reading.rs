//! The commands that read jobs, queues and DAGs.

use super::{Story, Transcript, hour};

#[tokio::test]
async fn jobs_print_as_recorded() {
    let story = Story::new("jobs").await;
    let stuck = "01970000-0000-7000-8000-00000000d403";
    let mut transcript = Transcript::new(story.now);
    for words in [
        &["jobs", "stuck"] as &[&str],
        &["jobs", "show", stuck],
        &["jobs", "failed", "--since", "2h"],
        &["jobs", "retrying"],
        &["jobs", "overdue"],
        &["jobs", "overdue", "--sla", "soft", "--queue", "extract"],
        &["jobs", "next"],
        &["jobs", "next", "--per-dag"],
        &["jobs", "list", "--state", "active", "--state", "retry"],
        &["jobs", "list", "--limit", "2", "--format", "json"],
        &["jobs", "list", "--queue", "classify", "--format", "csv"],
    ] {
        transcript.run(&story.reader, words);
    }
    transcript.assert_matches("jobs");
}

#[tokio::test]
async fn job_as_json_prints_as_recorded() {
    let story = Story::new("job").await;
    let failed = "01970000-0000-7000-8000-00000000d502";
    let mut transcript = Transcript::new(story.now);
    transcript.run(&story.owner, &["jobs", "show", failed, "--payload", "--format", "json"]);
    transcript.assert_matches("job_as_json");
}

#[tokio::test]
async fn dags_and_queues_print_as_recorded() {
    let story = Story::new("dags").await;
    let mut transcript = Transcript::new(story.now);
    for words in [
        &["dags", "list", "--state", "active", "--state", "failed"] as &[&str],
        &["dags", "list", "--planner", "contracts"],
        &["dags", "show", "01970000-0000-7000-8000-00000000d400"],
        &["dags", "show", "01970000-0000-7000-8000-00000000d500"],
        &["queues", "list"],
    ] {
        transcript.run(&story.reader, words);
    }
    transcript.assert_matches("dags_and_queues");
}

#[tokio::test]
async fn statistics_print_as_recorded() {
    let story = Story::new("stats").await;
    let mut transcript = Transcript::new(hour(story.now));
    for words in
        [&["stats"] as &[&str], &["stats", "retries"], &["stats", "throughput", "--queue", "letters"]]
    {
        transcript.run(&story.reader, words);
    }
    transcript.assert_matches("stats");
}
