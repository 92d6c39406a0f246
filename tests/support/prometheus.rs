//! Starts a real Prometheus, and other programs that end with the test.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde::Deserialize;

/// Child process that is killed when this is dropped.
pub(crate) struct KilledOnDrop(Child);

impl Drop for KilledOnDrop {
    fn drop(&mut self) {
        // The process may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts a program that `make test` installs.
pub(crate) fn start(program: &str, arguments: &[&str], folder: &Path) -> KilledOnDrop {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(folder).stdin(Stdio::null());
    let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    KilledOnDrop(child.unwrap_or_else(|error| panic!("{program}: {error}; `make test` installs it")))
}

/// Returns a port on which no process listens.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

pub(crate) struct Prometheus {
    port: u16,
    _process: KilledOnDrop,
}

/// One series of an answer.
#[derive(Debug, Deserialize)]
pub(crate) struct Series {
    #[serde(rename = "metric")]
    pub(crate) labels: BTreeMap<String, String>,
    /// Times and values, if the query was over a range.
    #[serde(default)]
    pub(crate) values: Vec<(f64, String)>,
}

#[derive(Deserialize)]
struct Answer {
    data: Option<Data>,
    error: Option<String>,
}

#[derive(Deserialize)]
struct Data {
    result: serde_json::Value,
}

impl Prometheus {
    /// Starts Prometheus with the `prometheus.yml` of this folder and waits until it answers.
    pub(crate) fn start(folder: &Path, flags: &[&str]) -> Self {
        let port = free_port();
        let listen = format!("--web.listen-address=127.0.0.1:{port}");
        let own = ["--config.file=prometheus.yml", "--storage.tsdb.path=data", &listen];
        let prometheus = Prometheus { port, _process: start("prometheus", &[&own, flags].concat(), folder) };
        let deadline = Instant::now() + Duration::from_mins(1);
        while let Err(error) = prometheus.ask("query", &[("query", "vector(1)")]) {
            assert!(Instant::now() < deadline, "Prometheus does not answer: {error}");
            std::thread::sleep(Duration::from_millis(50));
        }
        prometheus
    }

    /// Returns the series that a query yields now.
    pub(crate) fn query(&self, query: &str) -> Vec<Series> {
        self.ask("query", &[("query", query)]).unwrap_or_else(|error| panic!("{query}: {error}"))
    }

    /// Returns the series that a query yields over the time since then.
    pub(crate) fn query_since(&self, query: &str, since: Instant, step: Duration) -> Vec<Series> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let start = now.saturating_sub(since.elapsed());
        let [start, end, step] = [start, now, step].map(|time| format!("{:.3}", time.as_secs_f64()));
        self.ask("query_range", &[("query", query), ("start", &start), ("end", &end), ("step", &step)])
            .unwrap_or_else(|error| panic!("{query}: {error}"))
    }

    fn ask(&self, what: &str, parameters: &[(&str, &str)]) -> Result<Vec<Series>, String> {
        let url = format!("http://127.0.0.1:{}/api/v1/{what}", self.port);
        let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
        let request = agent.get(&url).query_pairs(parameters.iter().copied());
        let mut response = request.call().map_err(|error| error.to_string())?;
        let text = response.body_mut().read_to_string().map_err(|error| error.to_string())?;
        let answer: Answer = serde_json::from_str(&text).map_err(|error| format!("{error}: {text}"))?;
        let data = answer.data.ok_or(answer.error.unwrap_or(text))?;
        serde_json::from_value(data.result).map_err(|error| error.to_string())
    }
}
