//! `marie-exporter dashboards`: writes the Grafana dashboards of this version, which the binary contains.

use std::fs;
use std::path::Path;

use anyhow::Context;

/// Name and contents of each file.
pub const DASHBOARDS: [(&str, &str); 4] = [
    ("marie-overview.json", include_str!("../../dashboards/marie-overview.json")),
    ("marie-queue.json", include_str!("../../dashboards/marie-queue.json")),
    ("marie-dags-slas.json", include_str!("../../dashboards/marie-dags-slas.json")),
    ("marie-exporter.json", include_str!("../../dashboards/marie-exporter.json")),
];

/// Writes the dashboards into a folder, which is created if missing. Existing files are replaced.
pub fn write(folder: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    for (name, text) in DASHBOARDS {
        let path = folder.join(name);
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}
