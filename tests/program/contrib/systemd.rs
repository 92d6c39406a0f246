//! systemd accepts the unit, its exposure is as documented, and its command line starts the exporter.

use std::fs;

use crate::contrib::{path, read, run, start, text};
use crate::support::scrape::get;

const UNIT: &str = "contrib/systemd/marie-exporter.service";
const SETTINGS: &str = "contrib/systemd/config.yml";

#[test]
fn systemd_accepts_the_unit() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("marie-exporter.service");
    // systemd-analyze also checks that the program exists.
    fs::write(&file, read(UNIT).replace("/usr/bin/marie-exporter", env!("CARGO_BIN_EXE_marie-exporter")))
        .unwrap();
    let verified = run("systemd-analyze", &["verify", "--man=no", file.to_str().unwrap()]);
    let errors = text(&verified.stderr);
    assert!(verified.status.success() && errors.is_empty(), "{errors}");
}

#[test]
fn exposure_of_unit_is_as_documented() {
    let unit = path(UNIT);
    let analysed = run("systemd-analyze", &["security", "--offline=true", unit.to_str().unwrap()]);
    let report = text(&analysed.stdout);
    let after = |text: &str, word: &str| {
        let (_, rest) = text.split_once(word).unwrap_or_else(|| panic!("{word} is not in {text}"));
        rest.split_whitespace().next().unwrap().to_owned()
    };
    let exposure = after(&report, "marie-exporter.service:");
    let page = read("docs/operations.md");
    let version = after(&text(&run("systemd-analyze", &["--version"]).stdout), "systemd");
    if version == after(&page, "by systemd") {
        assert_eq!(exposure, after(&page, "exposure is"), "{report}");
    }
    // Other releases of systemd calculate other values. All of them rate values below two as good.
    assert!(exposure.parse::<f64>().unwrap() < 2.0, "{report}");
}

#[test]
fn unit_starts_exporter_with_every_example_setting() {
    let folder = tempfile::tempdir().unwrap();
    let settings: String = read(SETTINGS)
        .lines()
        // "# " begins a comment, "#key" a setting.
        .map(|line| {
            line.strip_prefix('#').filter(|rest| !rest.starts_with(' ')).unwrap_or(line).to_owned() + "\n"
        })
        .map(|line| line.replace(":10187", "127.0.0.1:0"))
        .collect();
    assert!(settings.contains("\nstuck.after: "), "{settings}");
    let file = folder.path().join("config.yml");
    fs::write(&file, settings).unwrap();
    fs::write(folder.path().join("url"), "postgres://absent@127.0.0.1:1/none").unwrap();

    let unit = read(UNIT);
    let command =
        unit.lines().find_map(|line| line.strip_prefix("ExecStart=/usr/bin/marie-exporter ")).unwrap();
    assert!(unit.contains("\nLoadCredential=url:") && unit.contains("\nStateDirectory=marie-exporter\n"));
    let folder = folder.path().to_str().unwrap();
    let process = start(
        command,
        &[
            ("/etc/marie-exporter/config.yml", file.to_str().unwrap()),
            ("${CREDENTIALS_DIRECTORY}", folder),
            ("${STATE_DIRECTORY}", folder),
        ],
    );
    assert_eq!(get(&format!("{}/-/healthy", process.address())).status, 200);
}
