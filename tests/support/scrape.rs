//! HTTP requests to the exporter, as Prometheus, browsers and curl send them.

use std::time::{Duration, Instant};

use once_cell::sync::Lazy;
use ureq::Agent;
use ureq::http::Response;

use super::metrics::Metrics;

static AGENT: Lazy<Agent> = Lazy::new(|| {
    Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(Duration::from_secs(30)))
        .max_idle_connections(0)
        .build()
        .into()
});

pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
    response: Response<()>,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.response.headers().get(name).and_then(|value| value.to_str().ok())
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

fn answer(response: Result<Response<ureq::Body>, ureq::Error>) -> Answer {
    let (parts, mut body) = response.expect("the exporter answers").into_parts();
    let body = body.read_to_vec().expect("the answer can be read");
    Answer { status: parts.status.as_u16(), body, response: Response::from_parts(parts, ()) }
}

pub(crate) fn get(url: &str) -> Answer {
    answer(AGENT.get(url).header("accept-encoding", "identity").call())
}

pub(crate) fn get_encoded(url: &str, accept: &str) -> Answer {
    answer(AGENT.get(url).header("accept-encoding", accept).call())
}

pub(crate) fn head(url: &str) -> Answer {
    answer(AGENT.head(url).header("accept-encoding", "identity").call())
}

pub(crate) fn post(url: &str) -> Answer {
    answer(AGENT.post(url).send("queue=extract"))
}

/// Scrapes the exporter at this address.
pub(crate) fn metrics(address: &str) -> Metrics {
    Metrics::parse(&get(&format!("{address}/metrics")).text())
}

/// Waits until each collector of the exporter at this address has run once.
pub(crate) fn until_ready(address: &str) {
    until(&format!("{address}/-/ready"), "it is ready", |answer| answer.status == 200);
}

/// Requests the URL repeatedly until the answer fulfils the condition.
pub(crate) fn until(url: &str, what: &str, holds: impl Fn(&Answer) -> bool) -> Answer {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let answer = get(url);
        if holds(&answer) {
            return answer;
        }
        assert!(Instant::now() < deadline, "timed out: {what}: {}", answer.text());
        std::thread::sleep(Duration::from_millis(25));
    }
}
