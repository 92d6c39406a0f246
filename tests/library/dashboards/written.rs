//! The command `marie-exporter dashboards` of the built binary.

use std::fs;
use std::process::Command;

use crate::dashboards::files::dashboards;

#[test]
fn command_writes_every_dashboard_into_new_folder() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("new").join("folder");
    let status = Command::new(env!("CARGO_BIN_EXE_marie-exporter"))
        .args(["dashboards", "--out"])
        .arg(&out)
        .env_clear()
        .status()
        .unwrap();
    assert!(status.success());
    for dashboard in dashboards() {
        assert_eq!(fs::read_to_string(out.join(&dashboard.file)).unwrap(), dashboard.text);
    }
    assert_eq!(fs::read_dir(&out).unwrap().count(), dashboards().len());
}
