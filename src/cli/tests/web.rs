//! The settings of HTTP, by each way to give them.

use super::*;

#[test]
fn web_settings_are_flags_variables_and_keys() {
    let variable: &[_] = &[("MARIE_EXPORTER_WEB_SYSTEMD_SOCKET", "yes")];
    for (flags, variable, file, expected) in [
        ("", &[][..], "", false),
        ("--web.systemd-socket", &[], "", true),
        ("--web.systemd-socket=false", variable, "", false),
        ("", variable, "web.systemd-socket: no", true),
        ("", &[], "web.systemd-socket: true", true),
    ] {
        let config = serve(flags, variable, file).unwrap();
        assert_eq!(config.web.systemd_socket, expected, "{flags} {variable:?} {file}");
    }
    let variable: &[_] = &[("MARIE_EXPORTER_WEB_HEALTH_ADDRESS", ":2")];
    for (flags, variable, file, expected) in [
        ("", &[][..], "", None),
        ("--web.health-address localhost:1", variable, "", Some("127.0.0.1:1")),
        ("", variable, "web.health-address: ':3'", Some("[::]:2")),
        ("", &[], "web.health-address: unix:/run/marie.sock", Some("unix:/run/marie.sock")),
    ] {
        let address = serve(flags, variable, file).unwrap().web.health_address;
        assert_eq!(address.map(|address| address.to_string()).as_deref(), expected);
    }
    // The command needs no database, and takes a file that names one.
    let command =
        read("healthy --config.file m.yml", &[], "web.listen-address: ':1'\ndatabase-url: postgres://h/d");
    assert!(matches!(command, Ok(Command::Healthy(web)) if web.listen_addresses.len() == 1));
}
