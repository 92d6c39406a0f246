//! The commands that change something: their plans, and what they print once they have changed it.

use super::{Story, Transcript};

/// Both columns are missing in the archive of the newest shape.
const DROPPING: [&str; 4] = ["--allow-dropping", "branch_metadata", "--allow-dropping", "run_attempt_id"];

#[tokio::test]
async fn plans_of_clean_ups_print_as_recorded() {
    let mut story = Story::new("plans").await;
    // Their times are not as far from the data set's `now` in each run.
    story.admin_runs("delete from dag where name like 'letter%'").await;
    let mut transcript = Transcript::new(story.now);
    let archive = ["maintain", "archive", "--older-than", "7d"];
    for words in [
        &archive as &[&str],
        &[&archive, &DROPPING[..]].concat(),
        &[&archive, &DROPPING[..], &["--per-job"]].concat(),
        &["maintain", "purge", "completed", "--older-than", "7d"],
        &["maintain", "purge", "failed", "--older-than", "30d"],
        &["maintain", "purge", "history", "--older-than", "30d"],
        &["maintain", "purge", "all"],
    ] {
        transcript.run(&story.owner, words);
    }
    transcript.assert_matches("clean_up_plans");
}

#[tokio::test]
async fn plans_of_queues_and_indexes_print_as_recorded() {
    let story = Story::new("queues").await;
    let mut transcript = Transcript::new(story.now);
    for words in [
        &["maintain", "queue", "create", "reports", "--retry-limit", "1"] as &[&str],
        &["maintain", "queue", "create", "ocr"],
        &["maintain", "queue", "set", "ocr", "--retry-delay", "60"],
        &["maintain", "queue", "set", "orc", "--retry-delay", "60"],
        &["maintain", "indexes"],
    ] {
        transcript.run(&story.owner, words);
    }
    transcript.assert_matches("queue_and_index_plans");
}

#[tokio::test]
async fn executed_clean_ups_print_as_recorded() {
    let story = Story::new("executed").await;
    let mut transcript = Transcript::new(story.now);
    for words in [
        &[&["maintain", "archive", "--older-than", "7d", "--execute"], &DROPPING[..]].concat() as &[&str],
        &["maintain", "purge", "history", "--older-than", "30d", "--execute"],
        &["maintain", "queue", "set", "ocr", "--retry-delay", "60", "--execute"],
        &["maintain", "archive", "--older-than", "7d"],
    ] {
        transcript.run(&story.owner, words);
    }
    transcript.assert_matches("executed");
}
