//! Signals to a whole server: what the kernel, an operator or a debugger does to it.

use std::process::Command;

use marie_exporter::demo::server::Server;

/// The processes of a server, its first one first.
pub(crate) fn processes(server: &Server) -> Vec<u32> {
    let first = server.postmaster_pid();
    let children = Command::new("ps").args(["-o", "pid=", "--ppid", &first.to_string()]).output().unwrap();
    let children = String::from_utf8(children.stdout).unwrap();
    std::iter::once(first).chain(children.split_whitespace().map(|id| id.parse().unwrap())).collect()
}

/// Sends a signal to all of them that are still there.
pub(crate) fn send(signal: &str, processes: &[u32]) {
    let ids = processes.iter().map(u32::to_string);
    // Some end by themselves when others do.
    let _ = Command::new("kill").arg(format!("-{signal}")).args(ids).output().unwrap();
}
