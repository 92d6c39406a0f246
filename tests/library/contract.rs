//! The metrics against Prometheus's conventions, and the documents against the code: metrics, flags, commands.
//! Needs no database. `UPDATE=1 cargo test --test library contract` rewrites the table in docs/metrics.md.

use std::collections::BTreeSet;
use std::fs;

use marie_exporter::cli;
use marie_exporter::cli::metric_table::{families, table};
use marie_exporter::collect::collectors::COLLECTORS;
use marie_exporter::config::MetricsFormat;
use marie_exporter::metrics::Kind;

use crate::documents::pages;

/// What Marie's own services export under the same prefix.
const MARIES_OWN: [&str; 8] = [
    "marie_receiving_request_seconds",
    "marie_sending_request_seconds",
    "marie_process_request_seconds",
    "marie_number_of_pending_requests",
    "marie_failed_requests_total",
    "marie_successful_requests_total",
    "marie_received_request_bytes",
    "marie_sent_response_bytes",
];

#[test]
fn every_family_has_one_name_and_one_collector() {
    let names: Vec<&str> = families().iter().map(|family| family.name).collect();
    let distinct: BTreeSet<&str> = names.iter().copied().collect();
    assert_eq!(names.len(), distinct.len());
    for name in names {
        assert!(name.starts_with("marie_"), "{name}");
        let is_ours = !MARIES_OWN.iter().any(|own| name == *own || name.starts_with(&format!("{own}_")));
        assert!(is_ours, "{name} is what Marie's services export");
    }
}

#[test]
fn only_counters_end_in_total_and_nothing_names_its_type() {
    for family in families() {
        assert_eq!(family.name.ends_with("_total"), family.kind == Kind::Counter, "{}", family.name);
        for suffix in ["_count", "_sum", "_bucket", "_gauge", "_counter"] {
            assert!(!family.name.ends_with(suffix), "{}", family.name);
        }
        assert!(
            family.name.chars().all(|letter| letter.is_ascii_lowercase() || letter == '_'),
            "{}",
            family.name
        );
        assert!(!family.name.contains("_age_"), "{}: publish the timestamp, an age freezes", family.name);
    }
}

#[test]
fn no_label_is_one_that_prometheus_sets_or_that_grows_with_jobs() {
    for family in families() {
        let labels: BTreeSet<&str> = family.labels.iter().copied().collect();
        assert_eq!(labels.len(), family.labels.len(), "{}", family.name);
        for label in &labels {
            assert!(
                !["job", "instance", "type", "le", "job_id", "id", "dag"].contains(label),
                "{}",
                family.name
            );
            // Off unless asked for: see --dags.progress-limit.
            assert!(*label != "dag_id" || family.name.starts_with("marie_dag_"), "{}", family.name);
        }
    }
}

#[test]
fn every_help_is_a_sentence_that_a_table_can_hold() {
    for family in families() {
        let help = family.help;
        assert!(help.ends_with('.') && help.len() > 20, "{}: {help}", family.name);
        assert!(!help.contains(['\n', '|']) && !help.contains("  "), "{}: {help}", family.name);
    }
}

#[test]
fn every_collector_has_a_flag_name_and_a_description() {
    for collector in COLLECTORS {
        assert!(collector.name.chars().all(|letter| letter.is_ascii_lowercase()), "{}", collector.name);
        assert!(!collector.about.is_empty() && !collector.about.ends_with('.'), "{}", collector.name);
        assert!(!collector.families.is_empty() && !collector.queries.is_empty(), "{}", collector.name);
    }
}

#[test]
fn metrics_page_has_the_table_that_the_code_prints() {
    let (begin, end) = ("<!-- metrics: begin -->", "<!-- metrics: end -->");
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/metrics.md");
    let page = fs::read_to_string(path).unwrap();
    let (before, rest) = page.split_once(begin).unwrap();
    let (_, after) = rest.split_once(end).unwrap();
    let text = table(MetricsFormat::Markdown).unwrap();
    let expected = format!("{before}{begin}\n{text}{end}{after}");
    if std::env::var_os("UPDATE").is_some() {
        fs::write(path, expected).unwrap();
    } else {
        assert!(
            page == expected,
            "docs/metrics.md is out of date: UPDATE=1 cargo test --test library contract"
        );
    }
}

/// The flags of the table, against those of `--help`.
#[test]
fn configuration_page_names_every_flag() {
    let page = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/configuration.md")).unwrap();
    let help =
        marie_exporter::cli::parse(["marie-exporter", "serve", "--help"].map(Into::into), |_| None, &[])
            .unwrap_err()
            .to_string();
    let mut flags = help.lines().filter_map(|line| line.trim().strip_prefix("--")).peekable();
    assert!(flags.peek().is_some());
    for flag in flags {
        let flag = flag.split([' ', '[', '\n']).next().unwrap();
        assert!(page.contains(&format!("`--{flag}`")), "docs/configuration.md does not name --{flag}");
    }
}

/// Every command line in a text, with or without the program's name, that belongs to one of these groups and leaves
/// nothing out; placeholders are filled in.
fn command_lines(text: &str) -> Vec<String> {
    const GROUPS: [&str; 6] = ["jobs", "queues", "dags", "stats", "top", "maintain"];
    let is_ours = |line: &&str| {
        let mut words = line.split_whitespace();
        words.next().is_some_and(|word| GROUPS.contains(&word)) && !line.contains('…')
    };
    let starts = text.split("marie-exporter ").skip(1).chain(text.split('`').skip(1).step_by(2));
    let lines = starts.map(|rest| rest.split(['`', '\n', '|', '\'']).next().unwrap_or_default().trim());
    let lines: BTreeSet<&str> =
        lines.filter(is_ours).filter(|line| line.contains(' ') || *line == "top").collect();
    let filled = lines.into_iter().map(|line| {
        line.replace("ID", "00000000-0000-0000-0000-000000000000").replace(" URL", " postgres://u@h/d")
    });
    filled.collect()
}

/// Whether the arguments, or the command of a group, are missing.
fn is_incomplete(error: &str) -> bool {
    error.contains("required arguments were not provided") || error.contains("\nCommands:\n")
}

#[test]
fn every_command_in_the_documents_is_accepted() {
    let mut accepted = 0;
    for file in pages() {
        for line in command_lines(&fs::read_to_string(&file).unwrap()) {
            let words = std::iter::once("marie-exporter").chain(line.split_whitespace()).map(Into::into);
            let environment = |name: &str| (name == "DATABASE_URL").then(|| "postgres://u@h/d".into());
            match cli::parse(words, environment, &[]) {
                Ok(_) => accepted += 1,
                // The name of a command, or of a group of commands, in a sentence.
                Err(error) if is_incomplete(&error.to_string()) => {}
                Err(error) => panic!("{}: {line}: {error}", file.display()),
            }
        }
    }
    assert!(accepted > 30, "{accepted}");
}
