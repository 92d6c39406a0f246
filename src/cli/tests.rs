//! Tests of the command line, the environment and the file together: the settings or the error that they give.

mod messages;
mod web;

use std::path::Path;
use std::time::Duration;

use super::*;
use crate::config::{Config, DatabaseUrl, Format, ListenAddress, MetricsFormat};

const COLLECTORS: &[(&str, &str)] =
    &[("statistics", "Jobs by queue and state"), ("stuck", "Jobs active for too long")];
const SECRET: &str = "postgres://marie:hunter2@db/marie";

/// Reads a command line written as one text, variables and the text of `m.yml`.
fn read(line: &str, environment: &[(&str, &str)], file: &str) -> Result<Command, ConfigError> {
    let arguments: Vec<OsString> =
        std::iter::once("marie-exporter").chain(line.split_whitespace()).map(Into::into).collect();
    let variable =
        |name: &str| environment.iter().find(|(known, _)| *known == name).map(|(_, value)| value.into());
    let contents = |path: &Path| match path.to_str() {
        Some("m.yml") => Ok(file.to_owned()),
        _ => Err(std::io::ErrorKind::NotFound.into()),
    };
    parse::parse(&arguments, &variable, &contents, COLLECTORS)
}

/// Reads `serve` with a database, the line's other flags and the file.
fn serve(flags: &str, environment: &[(&str, &str)], file: &str) -> Result<Config, ConfigError> {
    let line = format!("serve --config.file m.yml {flags}");
    let environment = [environment, &[("DATABASE_URL", SECRET)]].concat();
    match read(&line, &environment, file)? {
        Command::Serve(config) => Ok(config),
        other => panic!("{other:?}"),
    }
}

fn message(line: &str, environment: &[(&str, &str)], file: &str) -> String {
    let error = read(line, environment, file).unwrap_err();
    assert_eq!(error.exit_code(), 2, "{error}");
    let text = error.to_string();
    assert!(!format!("{text} {error:?}").contains("hunter2"), "{error:?}");
    text
}

#[test]
fn command_line_is_consistent() {
    args::command_line(COLLECTORS).debug_assert();
}

#[test]
fn defaults_are_as_documented() {
    let config = serve("", &[], "").unwrap();
    insta::assert_debug_snapshot!(config, @r#"
    Config {
        database: DatabaseConfig {
            url: Some(
                Given(
                    ***,
                ),
            ),
            schema: SchemaName(
                "marie_scheduler",
            ),
        },
        web: WebConfig {
            listen_addresses: [
                Tcp(
                    127.0.0.1:10187,
                ),
            ],
            systemd_socket: false,
            health_address: None,
            telemetry_path: "/metrics",
            config_file: None,
        },
        log: LogConfig {
            level: Level(
                Info,
            ),
            format: Text,
        },
        collectors: CollectorsConfig {
            disabled: {},
            interval: 15s,
            slow_interval: 300s,
            timeout: 10s,
            load_budget: 0.01,
            stale_after: 300s,
        },
        stuck_after: 3600s,
        stuck_after_by_queue: {},
        sla_due_soon: 900s,
        dags_progress_limit: 0,
        queues: QueuesConfig {
            limit: 200,
            include: None,
            exclude: None,
        },
        events: EventsConfig {
            state_file: None,
            new_series_hold: 120s,
            wait: [100ms, 300ms, 1s, 3s, 10s, 30s, 60s, 120s, 300s, 600s, 1800s, 3600s, 7200s, 14400s, 43200s, 86400s],
            run: [100ms, 300ms, 1s, 3s, 10s, 30s, 60s, 120s, 300s, 600s, 1800s, 3600s, 7200s, 14400s, 43200s, 86400s],
            dag: [100ms, 300ms, 1s, 3s, 10s, 30s, 60s, 120s, 300s, 600s, 1800s, 3600s, 7200s, 14400s, 43200s, 86400s],
        },
    }
    "#);
}

#[test]
fn flags_precede_environment_file_and_defaults() {
    let flag = "--collector.interval 1s";
    let variable: &[_] = &[("MARIE_EXPORTER_COLLECTOR_INTERVAL", "2s")];
    let file = "collector.interval: 3s";
    for (flag, variable, file, seconds) in [
        (flag, variable, file, 1),
        (flag, &[], file, 1),
        ("", variable, file, 2),
        ("", &[], file, 3),
        ("", &[], "", 15),
    ] {
        let config = serve(flag, variable, file).unwrap();
        assert_eq!(config.collectors.interval, Duration::from_secs(seconds));
    }
}

#[test]
fn lists_and_switches_have_same_precedence() {
    let ports = |config: Config| -> Vec<u16> {
        let port = |address: &ListenAddress| match address {
            ListenAddress::Tcp(address) => address.port(),
            ListenAddress::Unix(path) => panic!("{}", path.display()),
        };
        config.web.listen_addresses.iter().map(port).collect()
    };
    let file = "web.listen-address: [':1', ':2']";
    let variable: &[_] = &[("MARIE_EXPORTER_WEB_LISTEN_ADDRESS", ":3,:4")];
    let flags = "--web.listen-address :5 --web.listen-address localhost:6";
    assert_eq!(ports(serve("", &[], file).unwrap()), [1, 2]);
    assert_eq!(ports(serve("", &[], "web.listen-address: ':1'").unwrap()), [1]);
    assert_eq!(ports(serve("", variable, file).unwrap()), [3, 4]);
    assert_eq!(ports(serve(flags, variable, file).unwrap()), [5, 6]);

    let file = "collector.stuck: no";
    let variable: &[_] = &[("MARIE_EXPORTER_COLLECTOR_STUCK", "true")];
    for (flags, variable, file, enabled) in [
        ("", &[][..], file, false),
        ("", variable, file, true),
        ("--no-collector.stuck", variable, file, false),
        ("--collector.stuck", &[], file, true),
        ("--collector.stuck=false", &[], "", false),
        ("--no-collector.stuck --collector.stuck", &[], file, true),
        ("--collector.stuck --no-collector.stuck", &[], "", false),
    ] {
        let config = serve(flags, variable, file).unwrap();
        assert_eq!(config.collectors.is_enabled("stuck"), enabled, "{flags} {variable:?} {file}");
        assert!(config.collectors.is_enabled("statistics"));
    }
}

#[test]
fn file_accepts_yaml_types() {
    let file = "
collector.load-budget: 0.05
dags.progress-limit: 100
queues.include: extract|.*-gpu
log.level: warn
queues:
  extract: {stuck_after: 20m}
  42: {stuck_after: 1h30m}
";
    let config = serve("", &[], file).unwrap();
    assert!((config.collectors.load_budget - 0.05).abs() < f64::EPSILON);
    assert_eq!(config.dags_progress_limit, 100);
    assert_eq!(config.log.level, tracing::Level::WARN);
    assert!(config.queues.selects("a-gpu") && !config.queues.selects("extracter"));
    let thresholds = [("42", 5400), ("extract", 1200)]
        .map(|(queue, seconds)| (queue.to_owned(), Duration::from_secs(seconds)));
    assert_eq!(config.stuck_after_by_queue, thresholds.into());
}

#[test]
fn exclude_takes_precedence_over_include() {
    let config = serve("--queues.include a.* --queues.exclude ab", &[], "").unwrap();
    for (queue, admitted) in [("a", true), ("abc", true), ("ab", false), ("b", false)] {
        assert_eq!(config.queues.selects(queue), admitted, "{queue}");
    }
}

#[test]
fn database_url_of_highest_level_is_used() {
    let flag = "serve --config.file m.yml --database-url-file /flag";
    let own: &[_] = &[("MARIE_EXPORTER_DATABASE_URL", SECRET), ("DATABASE_URL", "mysql://")];
    let fallback: &[_] = &[("DATABASE_URL", SECRET)];
    let by_file: &[_] = &[("MARIE_EXPORTER_DATABASE_URL_FILE", "/env"), ("DATABASE_URL", SECRET)];
    let serve = "serve --config.file m.yml";
    let file = "database-url-file: /file";
    for (line, environment, expected) in [
        (flag, own, "Some(File(\"/flag\"))"),
        (serve, own, "Some(Given(***))"),
        (serve, by_file, "Some(File(\"/env\"))"),
        (serve, fallback, "Some(Given(***))"),
        (serve, &[], "Some(File(\"/file\"))"),
    ] {
        let config = match read(line, environment, file).unwrap() {
            Command::Serve(config) => config,
            other => panic!("{other:?}"),
        };
        assert_eq!(format!("{:?}", config.database.url), expected, "{line} {environment:?}");
    }
}

#[test]
fn each_subcommand_has_its_own_flags() {
    let environment: &[_] = &[("DATABASE_URL", SECRET), ("MARIE_EXPORTER_FORMAT", "none")];
    let check = read("check --format json", environment, "").unwrap();
    assert!(matches!(check, Command::Check(_, Format::Json)));
    let metrics = read("metrics", environment, "").unwrap();
    assert!(matches!(metrics, Command::Metrics(MetricsFormat::Markdown)));
    assert!(matches!(read("rules", environment, "").unwrap(), Command::Rules));
}

#[cfg(feature = "demo")]
#[test]
fn demo_rate_is_a_setting() {
    for (line, environment, expected) in [
        ("demo", &[][..], 5.0),
        ("demo", &[("MARIE_EXPORTER_DEMO_RATE", "0.5")], 0.5),
        ("demo --demo.rate 20", &[("MARIE_EXPORTER_DEMO_RATE", "0.5")], 20.0),
    ] {
        let Command::Demo(_, demo) = read(line, environment, "").unwrap() else { panic!() };
        assert!((demo.rate - expected).abs() < f64::EPSILON, "{line}");
    }
}

#[test]
fn kubernetes_service_variables_are_ignored() {
    let config = serve(
        "",
        &[
            ("MARIE_EXPORTER_PORT", "tcp://10.0.0.1:10187"),
            ("MARIE_EXPORTER_PORT_10187_TCP", "tcp://10.0.0.1:10187"),
            ("MARIE_EXPORTER_PORT_10187_TCP_ADDR", "10.0.0.1"),
            ("MARIE_EXPORTER_PORT_10187_TCP_PORT", "10187"),
            ("MARIE_EXPORTER_PORT_10187_TCP_PROTO", "tcp"),
            ("MARIE_EXPORTER_SERVICE_HOST", "10.0.0.1"),
            ("MARIE_EXPORTER_SERVICE_PORT", "10187"),
            ("MARIE_EXPORTER_SERVICE_PORT_METRICS", "10187"),
            ("MARIE_EXPORTER_LOG_LEVEL", ""),
        ],
        "",
    );
    assert_eq!(config.unwrap().log.level, tracing::Level::INFO);
}

#[test]
fn file_without_settings_is_valid() {
    for file in ["", "# nothing yet", "---", "queues:", "queues: {}"] {
        assert!(serve("", &[], file).unwrap().stuck_after_by_queue.is_empty(), "{file}");
    }
}

#[test]
fn path_of_file_can_be_a_variable() {
    let environment: &[_] = &[("DATABASE_URL", SECRET), ("MARIE_EXPORTER_CONFIG_FILE", "m.yml")];
    let Command::Serve(config) = read("serve", environment, "log.format: json").unwrap() else { panic!() };
    assert_eq!(config.log.format, Format::Json);
}

#[cfg(feature = "demo")]
#[test]
fn demo_rejects_database_url_flag() {
    let line = "demo --config.file m.yml";
    let demo = read(line, &[("DATABASE_URL", "nonsense")], "database-url: nonsense").unwrap();
    assert!(matches!(demo, Command::Demo(Config { database, .. }, _) if database.url.is_none()));
    assert_eq!(
        message("demo --database-url postgres://u:hunter2@h/d", &[], ""),
        "--database-url: the demo makes a database of its own; leave it out, or run serve"
    );
    let help = read("demo --help", &[], "").unwrap_err().to_string();
    assert!(help.contains("--demo.rate") && !help.contains("--database-url"), "{help}");
}
