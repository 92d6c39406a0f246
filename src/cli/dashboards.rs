//! `marie-exporter dashboards`: the Grafana dashboards that belong to this version, out of the binary.

use std::fs;
use std::path::Path;

use anyhow::Context;

/// Names of the files, under which they are provisioned, and what is in them.
pub const DASHBOARDS: [(&str, &str); 4] = [
    ("marie-overview.json", include_str!("../../dashboards/marie-overview.json")),
    ("marie-queue.json", include_str!("../../dashboards/marie-queue.json")),
    ("marie-dags-slas.json", include_str!("../../dashboards/marie-dags-slas.json")),
    ("marie-exporter.json", include_str!("../../dashboards/marie-exporter.json")),
];

/// Writes the dashboards into a folder, which is made if need be; files of the same names are replaced.
///
/// # Errors
/// When a file cannot be written.
pub fn write(folder: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    for (name, text) in DASHBOARDS {
        let path = folder.join(name);
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}
