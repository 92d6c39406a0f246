//! Sends signals to all processes of a PostgreSQL server.

use std::process::Command;

use marie_exporter::demo::server::Server;

/// Returns the process ids of a server, the postmaster first.
pub(crate) fn processes(server: &Server) -> Vec<u32> {
    let first = server.postmaster_pid();
    let children = Command::new("ps").args(["-o", "pid=", "--ppid", &first.to_string()]).output().unwrap();
    let children = String::from_utf8(children.stdout).unwrap();
    std::iter::once(first).chain(children.split_whitespace().map(|id| id.parse().unwrap())).collect()
}

/// Sends a signal to those processes that still exist.
pub(crate) fn send(signal: &str, processes: &[u32]) {
    let ids = processes.iter().map(u32::to_string);
    // Some processes end when others do.
    let _ = Command::new("kill").arg(format!("-{signal}")).args(ids).output().unwrap();
}
