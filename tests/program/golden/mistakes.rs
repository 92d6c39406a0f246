//! Common mistakes, and how the commands refuse them.

use super::{Story, Transcript};

#[tokio::test]
async fn connection_mistakes_print_as_recorded() {
    let story = Story::new("mistaken").await;
    let mut transcript = Transcript::new(story.now);
    let (_, place) = story.owner.rsplit_once('@').unwrap();
    let wrong_password = format!("postgres://marie_exporter:guessed@{place}");
    let wrong_database = story.owner.replace("marie_of_mistaken", "mary");
    transcript
        .run("", &["jobs", "stuck"])
        .run("mysql://marie", &["jobs", "stuck"])
        .run(&wrong_password, &["jobs", "stuck"])
        .run(&wrong_password, &["check"])
        .run(&wrong_database, &["jobs", "stuck"])
        .run("postgres://marie@127.0.0.1:1/marie", &["jobs", "stuck"])
        .run(&story.owner, &["jobs", "stuck", "--database.schema", "public"]);
    transcript.assert_matches("connection_mistakes");
}

#[tokio::test]
async fn missing_rights_print_as_recorded() {
    let mut story = Story::new("rights").await;
    let mut transcript = Transcript::new(story.now);
    let failed = "01970000-0000-7000-8000-00000000d502";
    transcript
        .run(&story.reader, &["jobs", "show", failed, "--payload"])
        .run(&story.reader, &["maintain", "purge", "failed", "--older-than", "30d"]);
    story.admin_runs("revoke select on dag from marie_exporter").await;
    transcript.run(&story.reader, &["jobs", "next"]).run(&story.reader, &["dags", "list"]);
    transcript.assert_matches("missing_rights");
}

#[tokio::test]
async fn mistyped_commands_print_as_recorded() {
    let story = Story::new("mistyped").await;
    let mut transcript = Transcript::new(story.now);
    for words in [
        &["jobs", "stuck", "--queue", "extrakt"] as &[&str],
        &["jobs", "stuck", "--queue", "letters"],
        &["jobs", "list", "--state", "faild"],
        &["jobs", "show", "01970000-0000-7000-8000-00000000ffff"],
        &["jobs", "show", "1234"],
        &["jobs", "stuk"],
        &["jobs", "failed", "--since", "yesterday"],
        &["maintain", "purge", "completed"],
        &["top"],
    ] {
        transcript.run(&story.reader, words);
    }
    transcript.assert_matches("mistyped_commands");
}
