//! A real Prometheus over TLS, with passwords and with client certificates.

use std::fs;
use std::time::{Duration, Instant};

use crate::support::prometheus::Prometheus;
use crate::web::certificates::Authority;
use crate::web::exporter::{Exporter, HASH, PASSWORD, TLS, users};

#[test]
fn prometheus_needs_password_or_certificate() {
    let with_password = Exporter::serve(&format!("{TLS}{}", users("prometheus", &HASH)));
    let required = ", client_ca_file: ca.crt, client_auth_type: RequireAndVerifyClientCert}";
    let with_certificate = Exporter::serve(&TLS.replace('}', required));
    let folder = tempfile::tempdir().unwrap();
    with_certificate.authority.sign("prometheus").write(folder.path(), "client");
    Authority::new().sign("prometheus").write(folder.path(), "stranger");

    let job = |name: &str, exporter: &Exporter, tls: &str, login: &str| {
        let ca = exporter.folder().join("ca.crt");
        format!(
            "- job_name: {name}\n  scheme: https\n  tls_config: {{ca_file: '{}'{tls}}}\n  {login}\n  \
             static_configs: [{{targets: ['{}']}}]\n",
            ca.display(),
            exporter.address()
        )
    };
    let login =
        |name: &str, password: &str| format!("basic_auth: {{username: {name}, password: '{password}'}}");
    let shows = |name: &str| format!(", cert_file: {name}.crt, key_file: {name}.key");
    let jobs = [
        job("password", &with_password, "", &login("prometheus", PASSWORD)),
        job("password_wrong", &with_password, "", &login("prometheus", "hunter3")),
        job("password_unknown", &with_password, "", &login("mallory", PASSWORD)),
        job("password_none", &with_password, "", ""),
        job("certificate", &with_certificate, &shows("client"), ""),
        job("certificate_strange", &with_certificate, &shows("stranger"), ""),
        job("certificate_none", &with_certificate, "", ""),
    ];
    let config = format!("global: {{scrape_interval: 500ms}}\nscrape_configs:\n{}", jobs.concat());
    fs::write(folder.path().join("prometheus.yml"), config).unwrap();
    let prometheus = Prometheus::start(folder.path(), &[]);
    let count = |query: &str| prometheus.query(query).len();

    let deadline = Instant::now() + Duration::from_mins(1);
    while count("up") != jobs.len() || count("up == 1") != 2 {
        assert!(Instant::now() < deadline, "{} of {} are up", count("up == 1"), count("up"));
        std::thread::sleep(Duration::from_millis(100));
    }
    for name in ["password", "certificate"] {
        assert_eq!(count(&format!("up{{job='{name}'}} == 1")), 1, "{name}");
        assert_eq!(count(&format!("marie_up{{job='{name}'}}")), 1, "{name}");
    }
    // All scrapes succeed for a while, and Prometheus has no other target.
    while count("count_over_time(up[1m]) >= 4") != jobs.len() {
        assert!(Instant::now() < deadline, "scraping does not continue");
        std::thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(count("max_over_time(up[1m]) == 1"), 2);
}
