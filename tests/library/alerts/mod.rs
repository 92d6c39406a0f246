//! The bundled alerts: rules and their test cases pass promtool, and routes pass amtool.
//!
//! Each alert is complete: a firing and a quiet test case, a runbook, a dashboard and a severity.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use marie_exporter::cli;
use serde::Deserialize;

#[derive(Deserialize)]
struct Rules {
    groups: Vec<Group>,
}

#[derive(Deserialize)]
struct Group {
    rules: Vec<Rule>,
}

#[derive(Deserialize)]
struct Rule {
    alert: Option<String>,
    #[serde(default)]
    labels: BTreeMap<String, String>,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
    #[serde(rename = "for")]
    pending: Option<String>,
}

#[derive(Deserialize)]
struct Cases {
    tests: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    #[serde(default)]
    alert_rule_test: Vec<Expectation>,
}

#[derive(Deserialize)]
struct Expectation {
    alertname: String,
    #[serde(default)]
    exp_alerts: Vec<Expected>,
}

#[derive(Deserialize)]
struct Expected {
    #[serde(default)]
    exp_annotations: BTreeMap<String, String>,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("alerts")
}

fn read<T: for<'de> Deserialize<'de>>(path: &Path) -> T {
    let text = std::fs::read_to_string(path).unwrap();
    serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Returns the alerting rules by name; several rules of one name have different windows.
fn alerts() -> BTreeMap<String, Vec<Rule>> {
    let rules: Rules = read(&folder().join("marie.rules.yml"));
    let mut alerts: BTreeMap<String, Vec<Rule>> = BTreeMap::new();
    for rule in rules.groups.into_iter().flat_map(|group| group.rules) {
        if let Some(name) = rule.alert.clone() {
            alerts.entry(name).or_default().push(rule);
        }
    }
    alerts
}

fn case_files() -> Vec<PathBuf> {
    let files = std::fs::read_dir(folder().join("tests")).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> =
        files.filter(|path| path.extension().is_some_and(|ending| ending == "yml")).collect();
    files.sort();
    assert!(files.len() > 4, "{files:?}");
    files
}

fn expectations() -> Vec<Expectation> {
    let cases = case_files().into_iter().flat_map(|path| read::<Cases>(&path).tests);
    cases.flat_map(|case| case.alert_rule_test).collect()
}

/// Runs promtool or amtool on files of `alerts`; panics with its output if it fails.
fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program)
        .args(arguments)
        .current_dir(folder())
        .output()
        .unwrap_or_else(|error| panic!("{program}: {error}; `make test` installs it"));
    let text =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}:\n{text}");
    text
}

#[test]
fn rules_pass_promtool() {
    let text = run("promtool", &["check", "rules", "--lint=all", "--lint-fatal", "marie.rules.yml"]);
    assert!(text.contains("SUCCESS"), "{text}");
    run("promtool", &["check", "rules", "marie.compat.rules.yml"]);
}

#[test]
fn test_cases_of_rules_pass_promtool() {
    let files = case_files();
    let mut arguments = vec!["test", "rules"];
    arguments.extend(files.iter().map(|path| path.to_str().unwrap()));
    run("promtool", &arguments);
}

#[test]
fn every_alert_has_urgency_summary_and_links() {
    let dashboards = ["marie-overview", "marie-queue", "marie-dags-slas", "marie-exporter"];
    for (name, rules) in alerts() {
        let anchor = format!("/alerts/runbooks.md#{}", name.to_lowercase());
        for rule in rules {
            let severity = rule.labels.get("severity").map(String::as_str);
            assert!(matches!(severity, Some("page" | "ticket")), "{name}");
            assert!(rule.pending.is_some(), "{name} has no `for`");
            for annotation in ["summary", "description"] {
                assert!(
                    rule.annotations.get(annotation).is_some_and(|text| text.len() > 15),
                    "{name}: {annotation}"
                );
            }
            assert!(rule.annotations["runbook_url"].ends_with(&anchor), "{name}");
            let dashboard = &rule.annotations["dashboard_url"];
            let links = |uid: &&str| dashboard.contains(&format!("/d/{uid}?"));
            assert!(dashboards.iter().any(links), "{name}: {dashboard}");
        }
    }
}

/// Returns the words after the program's name, split by a shell.
fn words(command: &str) -> Vec<String> {
    let script = format!("set -f; printf '%s\\0' {}", command.strip_prefix("marie-exporter ").unwrap());
    let output = Command::new("sh").args(["-c", &script]).output().unwrap();
    let words = String::from_utf8(output.stdout).unwrap();
    words.split_terminator('\0').map(str::to_owned).collect()
}

/// Panics if the exporter's command line does not accept the command.
fn assert_is_accepted(command: &str) {
    let words = words(command);
    let database = ["--database-url", "postgres://db.example/marie"].map(str::to_owned);
    let line = ["marie-exporter".to_owned()].into_iter().chain(words).chain(database);
    if let Err(error) = cli::parse(line.map(Into::into), |_| None, &[]) {
        panic!("{command}: {error}");
    }
}

#[test]
fn commands_in_alerts_and_runbooks_are_accepted() {
    let expectations = expectations();
    let expected = expectations.iter().flat_map(|case| &case.exp_alerts);
    let commands: BTreeSet<&str> =
        expected.filter_map(|expected| expected.exp_annotations.get("command")).map(String::as_str).collect();
    assert!(commands.len() > 8, "{commands:?}");
    for command in commands {
        assert_is_accepted(command);
    }
    let text = std::fs::read_to_string(folder().join("runbooks.md")).unwrap();
    let spans = text.split('`').skip(1).step_by(2);
    let commands: Vec<&str> = spans.filter(|code| code.starts_with("marie-exporter ")).collect();
    assert!(commands.len() > 15, "{commands:?}");
    for command in commands {
        assert_is_accepted(&command.replace(" ID", " 0192f0c1-2d3e-7f00-8000-000000000001"));
    }
}

/// These alerts have no command, because a command would list other jobs too and mislead the reader.
#[test]
fn alert_without_command_has_runbook_that_begins_with_query() {
    let is_of_jobs = |rule: &Rule| rule.annotations["summary"].contains("$labels.queue");
    let lacks_command = |rule: &Rule| is_of_jobs(rule) && !rule.annotations.contains_key("command");
    let mut without: BTreeSet<String> = alerts()
        .into_iter()
        .filter(|(_, rules)| rules.iter().any(lacks_command))
        .map(|(name, _)| name)
        .collect();
    without.insert("MarieDagStalled".to_owned());
    let expected =
        ["MarieDagStalled", "MarieRetriesExhausted", "MarieRunLeasesExpired", "MarieSlaBudgetBurn"];
    assert_eq!(without.iter().map(String::as_str).collect::<Vec<_>>(), expected);
    let alerts = alerts();
    let text = std::fs::read_to_string(folder().join("runbooks.md")).unwrap();
    for name in expected {
        assert!(alerts[name].iter().all(|rule| !rule.annotations.contains_key("command")), "{name}");
        let (_, section) = text.split_once(&format!("\n## {name}\n")).unwrap();
        let (_, step) = section.split_once("\n1. ").unwrap();
        assert!(step.starts_with("`select "), "{name}: {step:.60}");
    }
}

/// Clients choose queue names, and operators paste the command into a shell.
#[test]
fn queue_name_in_command_stays_one_shell_word() {
    let expectations = expectations();
    let expected = expectations.iter().flat_map(|case| &case.exp_alerts);
    let mut commands = expected.filter_map(|expected| expected.exp_annotations.get("command"));
    let hostile = commands.find(|command| command.contains("rm -rf")).unwrap();
    assert_eq!(words(hostile), ["jobs", "stuck", "--queue=it's; rm -rf $HOME `id` \\"]);
}

#[test]
fn every_alert_has_a_firing_and_a_quiet_case() {
    let expectations = expectations();
    let names = |fires: bool| -> BTreeSet<String> {
        let fitting = expectations.iter().filter(|case| case.exp_alerts.is_empty() != fires);
        fitting.map(|case| case.alertname.clone()).collect()
    };
    let alerts: BTreeSet<String> = alerts().into_keys().collect();
    assert_eq!(names(true), alerts, "left: alerts with a firing case");
    assert_eq!(names(false), alerts, "left: alerts with a quiet case");
    for case in &expectations {
        let has_text = |expected: &Expected| expected.exp_annotations.contains_key("description");
        assert!(case.exp_alerts.iter().all(has_text), "{}: its text is not tested", case.alertname);
    }
}

/// A page must not resolve because its data disappear.
#[test]
fn every_page_has_a_case_that_fires_without_data() {
    let held: Cases = read(&folder().join("tests/held.yml"));
    let cases = held.tests.iter().flat_map(|case| &case.alert_rule_test);
    let held: BTreeSet<&str> =
        cases.filter(|case| !case.exp_alerts.is_empty()).map(|case| case.alertname.as_str()).collect();
    for (name, rules) in alerts() {
        let pages = rules.iter().any(|rule| rule.labels["severity"] == "page");
        assert!(!pages || held.contains(name.as_str()), "{name} has no case in tests/held.yml");
    }
}

#[test]
fn alerts_and_runbooks_have_the_same_names() {
    let text = std::fs::read_to_string(folder().join("runbooks.md")).unwrap();
    let sections: BTreeMap<&str, &str> =
        text.split("\n## ").skip(1).map(|section| section.split_once('\n').unwrap()).collect();
    let alerts: BTreeSet<String> = alerts().into_keys().collect();
    assert_eq!(sections.keys().map(ToString::to_string).collect::<BTreeSet<_>>(), alerts);
    for (name, section) in sections {
        for part in ["**Look at**", "\n1. ", "\n2. ", "\n3. ", "**Mend.**", "**Ignore.**"] {
            assert!(section.contains(part), "{name} lacks {part:?}");
        }
    }
}

#[test]
fn pages_and_tickets_reach_their_receivers() {
    run("amtool", &["check-config", "alertmanager.example.yml"]);
    for (name, rules) in alerts() {
        for rule in rules {
            let severity = &rule.labels["severity"];
            let receiver = format!("--verify.receivers={severity}s");
            let labels =
                [format!("alertname={name}"), format!("severity={severity}"), "queue=extract".to_owned()];
            let mut arguments =
                vec!["config", "routes", "test", "--config.file=alertmanager.example.yml", &receiver];
            arguments.extend(labels.iter().map(String::as_str));
            run("amtool", &arguments);
        }
    }
}

#[test]
fn command_rules_prints_the_bundled_rules() {
    let output = Command::new(env!("CARGO_BIN_EXE_marie-exporter")).arg("rules").output().unwrap();
    assert!(output.status.success());
    let bundled = std::fs::read_to_string(folder().join("marie.rules.yml")).unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap().trim_end(), bundled.trim_end());
}
