//! The network drops packets without an error.
//!
//! A proxy that stops forwarding works on every machine. Between two network namespaces, if the test may create them,
//! even connects are dropped.

use std::fs;
use std::process::Command;
use std::time::Duration;

use marie_exporter::demo::server::Server;
use marie_exporter::demo::shape::Shape;

use crate::support::databases::{Database, furnished, run};
use crate::support::process::Process;
use crate::support::proxy::Proxy;
use crate::support::watch::Watch;

/// Twice this interval is longer than the pause between two connects and the time-out of a connect, 5 s, together.
const INTERVAL: Duration = Duration::from_secs(6);
const FLAGS: [&str; 3] =
    ["--collector.interval=6s", "--collector.slow-interval=6s", "--collector.timeout=1s"];

#[tokio::test]
async fn proxy_that_stops_forwarding_means_unavailable() {
    let database = Database::new(Shape::New).await;
    let proxy = Proxy::start(&database.url);
    let watch = Watch::attach(Process::serve(&proxy.url, &Watch::flags(&FLAGS)), INTERVAL);
    proxy.pause();
    watch.until_unavailable("no answer within 5 s");
    proxy.resume();
    watch.recovers();
    watch.end();
}

/// Network namespace of the exporter, connected to ours.
///
/// It has three addresses: the exporter's, ours, and the database's, which is also on our side. The route to the database
/// can be cut while the exporter is scraped.
struct Namespace {
    name: String,
    net: String,
}

impl Namespace {
    /// Creates the namespace; `None` if the test lacks the rights.
    fn new() -> Option<Self> {
        let id = std::process::id();
        // 198.18.0.0/15 is reserved for tests of network devices.
        let namespace = Namespace { name: format!("marie-{id}"), net: format!("198.18.{}", id % 256) };
        if !ip(&["netns", "add", &namespace.name]) {
            return None;
        }
        let outside = format!("marie{id}");
        let (name, address) = (namespace.name.as_str(), |host| format!("{}/24", namespace.address(host)));
        let made = ip(&["link", "add", &outside, "type", "veth", "peer", "name", "way", "netns", name])
            && ip(&["address", "add", &address(OURS), "dev", &outside])
            && ip(&["address", "add", &address(DATABASE), "dev", &outside])
            && ip(&["link", "set", &outside, "up"])
            && ip(&["-n", name, "address", "add", &address(EXPORTER), "dev", "way"])
            && ip(&["-n", name, "link", "set", "way", "up"]);
        made.then_some(namespace)
    }

    fn address(&self, host: u8) -> String {
        format!("{}.{host}", self.net)
    }

    /// Sends packets for the database to a hardware address that does not exist.
    fn cut(&self) {
        let unknown = ["lladdr", "02:00:00:00:00:01", "dev", "way", "nud", "permanent"];
        let to = self.address(DATABASE);
        assert!(ip(&[["-n", &self.name, "neighbour", "replace", &to].as_slice(), &unknown].concat()));
    }

    /// Undoes [`Namespace::cut`].
    fn restore(&self) {
        assert!(ip(&["-n", &self.name, "neighbour", "del", &self.address(DATABASE), "dev", "way"]));
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        ip(&["netns", "del", &self.name]);
    }
}

const OURS: u8 = 1;
const EXPORTER: u8 = 2;
const DATABASE: u8 = 3;

fn ip(arguments: &[&str]) -> bool {
    let output = Command::new("ip").args(arguments).output();
    output.is_ok_and(|output| {
        let is_done = output.status.success();
        if !is_done {
            eprintln!("ip {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        }
        is_done
    })
}

#[tokio::test]
async fn dropped_packets_mean_unavailable_until_they_pass() {
    let Some(namespace) = Namespace::new() else {
        eprintln!("skipped: the test may not create network namespaces");
        return;
    };
    let (exporter, database) = (namespace.address(EXPORTER), namespace.address(DATABASE));
    let server = Server::start_with(&[("listen_addresses", &format!("127.0.0.1,{database}"))]).unwrap();
    let url = server.create_database("marie").await.unwrap();
    let mut admin = furnished(&url, Shape::New).await;
    let rules = server.folder().join("data/pg_hba.conf");
    let known = fs::read_to_string(&rules).unwrap();
    fs::write(&rules, format!("{known}\nhost all all {exporter}/32 trust\n")).unwrap();
    run(&mut admin, "select pg_reload_conf()").await;

    let url = url.replace("127.0.0.1", &database);
    let listen = format!("--web.listen-address={exporter}:0");
    let arguments = ["netns", "exec", &namespace.name, env!("CARGO_BIN_EXE_marie-exporter"), "serve"];
    let mut command = Command::new("ip");
    command.args(arguments).args(["--database-url", &url, &listen]).args(Watch::flags(&FLAGS));
    let watch = Watch::attach(Process::start(command, 1), INTERVAL);
    namespace.cut();
    watch.until_unavailable("no answer within 5 s");
    namespace.restore();
    watch.recovers();
    watch.end();
}
