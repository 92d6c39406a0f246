//! A real Prometheus, and what else a test starts and ends with itself.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Ended with the test, whatever comes of it.
pub(crate) struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts a program that `make test` installs.
pub(crate) fn start(program: &str, arguments: &[&str], folder: &Path) -> Ended {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(folder).stdin(Stdio::null());
    let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    Ended(child.unwrap_or_else(|error| panic!("{program}: {error}; `make test` installs it")))
}

/// A port that nobody listens on.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

pub(crate) struct Prometheus {
    port: u16,
    _process: Ended,
}

impl Prometheus {
    /// With the `prometheus.yml` of this folder; waits until it answers.
    pub(crate) fn start(folder: &Path, flags: &[&str]) -> Self {
        let port = free_port();
        let listen = format!("--web.listen-address=127.0.0.1:{port}");
        let own = ["--config.file=prometheus.yml", "--storage.tsdb.path=data", &listen];
        let prometheus = Prometheus { port, _process: start("prometheus", &[&own, flags].concat(), folder) };
        let deadline = Instant::now() + Duration::from_mins(1);
        while prometheus.query("vector(1)").is_none() {
            assert!(Instant::now() < deadline, "Prometheus does not answer");
            std::thread::sleep(Duration::from_millis(50));
        }
        prometheus
    }

    /// The number of series that a query gives.
    pub(crate) fn query(&self, query: &str) -> Option<usize> {
        let url = format!("http://127.0.0.1:{}/api/v1/query", self.port);
        let mut answer = ureq::get(&url).query("query", query).call().ok()?;
        let answer: serde_json::Value =
            serde_json::from_str(&answer.body_mut().read_to_string().ok()?).ok()?;
        answer["data"]["result"].as_array().map(Vec::len)
    }
}
