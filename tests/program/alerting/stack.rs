//! Starts Prometheus and Alertmanager with the bundled files and shortened durations.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::alerting::receiver::Receiver;
use crate::alerting::time_scale::TimeScale;
use crate::support::prometheus::{KilledOnDrop, Prometheus, free_port, start};

pub(crate) struct Stack {
    pub(crate) receiver: Receiver,
    pub(crate) prometheus: Prometheus,
    _alertmanager: KilledOnDrop,
    _folder: tempfile::TempDir,
}

impl Stack {
    /// Starts both; Prometheus scrapes these jobs, each with exporters at these ports.
    pub(crate) fn start(scale: TimeScale, jobs: &BTreeMap<&str, Vec<u16>>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let bundled = Path::new(env!("CARGO_MANIFEST_DIR")).join("alerts");
        let bundled = |name: &str| fs::read_to_string(bundled.join(name)).unwrap();
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        let alertmanager = free_port();
        let (receiver, port) = Receiver::start();

        write("rules.yml", &scale.rules(&bundled("marie.rules.yml")));
        write("prometheus.yml", &configuration(scale, jobs, alertmanager));
        let routes = scale.routes(&bundled("alertmanager.example.yml"));
        write("alertmanager.yml", &routes.replace("localhost:9095", &format!("127.0.0.1:{port}")));

        let alertmanager = start(
            "prometheus-alertmanager",
            &[
                "--config.file=alertmanager.yml",
                &format!("--web.listen-address=127.0.0.1:{alertmanager}"),
                "--storage.path=alertmanager",
                // A single Alertmanager needs no cluster port.
                "--cluster.listen-address=",
            ],
            folder.path(),
        );
        // Prometheus repeats an alert at this interval. Alertmanager resolves it after four intervals without one.
        let resend = scale.shorten(Duration::from_mins(1)).as_millis();
        let prometheus =
            Prometheus::start(folder.path(), &[&format!("--rules.alert.resend-delay={resend}ms")]);
        Stack { receiver, prometheus, _alertmanager: alertmanager, _folder: folder }
    }
}

fn configuration(scale: TimeScale, jobs: &BTreeMap<&str, Vec<u16>>, alertmanager: u16) -> String {
    let interval = scale.interval().as_millis();
    let mut text = format!(
        "global: {{scrape_interval: {interval}ms, scrape_timeout: {interval}ms, evaluation_interval: {interval}ms}}\n\
         rule_files: [rules.yml]\n\
         alerting: {{alertmanagers: [{{static_configs: [{{targets: ['127.0.0.1:{alertmanager}']}}]}}]}}\n\
         scrape_configs:\n"
    );
    for (job, ports) in jobs {
        let targets: Vec<String> = ports.iter().map(|port| format!("'127.0.0.1:{port}'")).collect();
        let targets = targets.join(", ");
        // Writing to a String cannot fail.
        let _ = writeln!(text, "  - {{job_name: '{job}', static_configs: [{{targets: [{targets}]}}]}}");
    }
    text
}

/// Waits until the condition holds; panics after this time.
pub(crate) fn until(what: &str, patience: Duration, holds: impl Fn() -> bool) {
    let deadline = Instant::now() + patience;
    while !holds() {
        assert!(Instant::now() < deadline, "timed out: {what}");
        std::thread::sleep(Duration::from_millis(100));
    }
}
