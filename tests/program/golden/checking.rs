//! The commands around a scrape: what the database lacks, which rights a role needs, what is published, whether the
//! exporter runs.

use std::time::SystemTime;

use super::{Story, Transcript};
use crate::support::process::Process;

#[tokio::test]
async fn check_prints_as_recorded() {
    let mut story = Story::new("check").await;
    let mut transcript = Transcript::new(story.now);
    transcript.run(&story.reader, &["check"]);
    transcript.run(&story.owner, &["check", "--database.schema", "public"]);
    story.admin_runs("revoke select on dag from marie_exporter").await;
    transcript.run(&story.reader, &["check"]);
    transcript.assert_matches("check");
}

#[tokio::test]
async fn check_as_json_prints_as_recorded() {
    let mut story = Story::new("report").await;
    story.admin_runs("revoke select on dag from marie_exporter").await;
    let mut transcript = Transcript::new(story.now);
    transcript.run(&story.reader, &["check", "--format", "json"]);
    transcript.assert_matches("check_as_json");
}

#[tokio::test]
async fn grants_prints_as_recorded() {
    let story = Story::new("grants").await;
    let mut transcript = Transcript::new(story.now);
    transcript.run(&story.owner, &["grants"]);
    transcript.assert_matches("grants");
}

#[tokio::test]
async fn healthy_prints_as_recorded() {
    let story = Story::new("healthy").await;
    let mut transcript = Transcript::new(story.now);
    let exporter = Process::serve(&story.reader, &[]);
    let (_, address) = exporter.address().split_once("://").unwrap();
    transcript.run("", &["healthy", "--web.listen-address", address]);
    let address = address.to_owned();
    drop(exporter);
    transcript.run("", &["healthy", "--web.listen-address", &address]);
    transcript.assert_matches("healthy");
}

/// Only the beginning, because `docs/metrics.md` holds the whole table and a test compares the two. What `rules` prints is
/// `alerts/marie.rules.yml`, as another test asserts.
#[test]
fn metrics_begins_as_recorded() {
    let mut transcript = Transcript::new(SystemTime::now());
    transcript.run_head(&["metrics"], 5);
    transcript.run_head(&["metrics", "--format", "json"], 8);
    transcript.assert_matches("metrics");
}
