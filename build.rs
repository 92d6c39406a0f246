//! Passes the versions of rustc and of the source to the build, for the status page and `marie_exporter_build_info`.

use std::process::Command;

fn main() {
    let rustc = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
    let rustc = output(&rustc, &["--version"]);
    // "rustc 1.94.0 (abc 2026-01-01)" → "1.94.0"
    println!("cargo::rustc-env=RUSTC_VERSION={}", rustc.split(' ').nth(1).unwrap_or("unknown"));
    println!("cargo::rustc-env=GIT_REVISION={}", output("git", &["rev-parse", "--short=12", "HEAD"]));
    println!("cargo::rerun-if-changed=.git/HEAD");
    println!("cargo::rerun-if-changed=.git/refs/heads");
}

/// Returns the output of a command, or `unknown` if it fails. A build from a source archive has no revision.
fn output(program: &str, arguments: &[&str]) -> String {
    let run = Command::new(program).args(arguments).output().ok().filter(|run| run.status.success());
    run.map_or_else(|| "unknown".to_owned(), |run| String::from_utf8_lossy(&run.stdout).trim().to_owned())
}
