//! Prometheus and Alertmanager, with the bundled files on short intervals.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use regex::Regex;

use crate::prometheus::{Ended, Prometheus, free_port, start};
use crate::receiver::Receiver;

/// Longer than any page takes here, even on a loaded machine.
const PATIENCE: Duration = Duration::from_mins(1);

pub(crate) struct Stack {
    pub(crate) receiver: Receiver,
    prometheus: Prometheus,
    _alertmanager: Ended,
    _folder: tempfile::TempDir,
}

/// The bundled rules with nothing changed but how long things take: no rule waits, and what failed a quarter of
/// an hour ago is over after ten seconds.
fn hurried(rules: &str) -> String {
    let mut rules = rules.to_owned();
    for (slow, fast) in [
        (r"(?m)^(\s+)interval: \w+$", "${1}interval: 500ms"),
        (r"(?m)^(\s+)for: \w+$", "${1}for: 1s"),
        (r"(?m)^(\s+)keep_firing_for: \w+$", "${1}keep_firing_for: 1s"),
        (r"\[15m\]", "[10s]"),
    ] {
        let hurried = Regex::new(slow).unwrap().replace_all(&rules, fast).into_owned();
        assert_ne!(hurried, rules, "{slow} is nowhere in the rules");
        rules = hurried;
    }
    rules
}

impl Stack {
    /// Scrapes the exporters at these ports.
    pub(crate) fn start(exporters: &[u16]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let bundled = Path::new(env!("CARGO_MANIFEST_DIR")).join("alerts");
        let write = |name: &str, text: String| fs::write(folder.path().join(name), text).unwrap();
        let alertmanager = free_port();
        let (receiver, port) = Receiver::start();

        write("rules.yml", hurried(&fs::read_to_string(bundled.join("marie.rules.yml")).unwrap()));
        let targets: Vec<String> = exporters.iter().map(|port| format!("'127.0.0.1:{port}'")).collect();
        write(
            "prometheus.yml",
            format!(
                "global: {{scrape_interval: 500ms, evaluation_interval: 500ms}}\n\
                 rule_files: [rules.yml]\n\
                 alerting: {{alertmanagers: [{{static_configs: [{{targets: ['127.0.0.1:{alertmanager}']}}]}}]}}\n\
                 scrape_configs: [{{job_name: marie, static_configs: [{{targets: [{}]}}]}}]\n",
                targets.join(", ")
            ),
        );
        let example = fs::read_to_string(bundled.join("alertmanager.example.yml")).unwrap();
        let example = example.replace("localhost:9095", &format!("127.0.0.1:{port}"));
        let waits = Regex::new(r"(?m)^(\s+)(group_wait|group_interval): \w+$").unwrap();
        write("alertmanager.yml", waits.replace_all(&example, "${1}${2}: 1s").into_owned());

        let alertmanager = start(
            "prometheus-alertmanager",
            &[
                "--config.file=alertmanager.yml",
                &format!("--web.listen-address=127.0.0.1:{alertmanager}"),
                "--storage.path=alertmanager",
                // Alone: no gossip, no port for it.
                "--cluster.listen-address=",
            ],
            folder.path(),
        );
        // An alert is sent again this often, and resolved by Alertmanager four times later.
        let prometheus = Prometheus::start(folder.path(), &["--rules.alert.resend-delay=1s"]);
        Stack { receiver, prometheus, _alertmanager: alertmanager, _folder: folder }
    }

    /// The number of series that a query gives.
    pub(crate) fn query(&self, query: &str) -> Option<usize> {
        self.prometheus.query(query)
    }

    /// Waits; says how long it took.
    pub(crate) fn until(&self, what: &str, holds: impl Fn() -> bool) -> Duration {
        let began = Instant::now();
        while !holds() {
            assert!(
                began.elapsed() < PATIENCE,
                "waited in vain: {what}; pages {:#?}",
                self.receiver.told("pages")
            );
            std::thread::sleep(Duration::from_millis(50));
        }
        began.elapsed()
    }

    /// Waits until the pager was told that this alert fires, or is over, for this queue; an alert without a queue has
    /// an empty one.
    pub(crate) fn until_paged(&self, alert: &str, queue: &str, status: &str) -> Duration {
        self.until(&format!("{alert} of {queue:?} is {status}"), || {
            self.receiver.told("pages").iter().any(|told| {
                told.status == status
                    && told.labels["alertname"] == alert
                    && told.labels.get("queue").map_or("", String::as_str) == queue
            })
        })
    }

    /// The names of the alerts that the pager was told to fire.
    pub(crate) fn paged(&self) -> BTreeSet<String> {
        let told = self.receiver.told("pages").into_iter().filter(|told| told.status == "firing");
        told.map(|told| told.labels["alertname"].clone()).collect()
    }
}
