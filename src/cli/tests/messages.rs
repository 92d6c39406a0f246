//! What an operator reads after a slip: each message in full, and never a password.

use super::*;

#[test]
fn a_bad_flag_is_told_with_what_would_do() {
    for (line, expected) in [
        (
            "serve --collector.interval 15",
            "invalid value '15' for '--collector.interval <DURATION>': a duration \
             needs its unit, as in 15s\n\nFor more information, try '--help'.",
        ),
        (
            "serve --log.level loud",
            "invalid value 'loud' for '--log.level <LEVEL>'\n  [possible values: \
             error, warn, info, debug, trace]\n\nFor more information, try '--help'.",
        ),
        (
            "serve --colector.interval 15s",
            "unexpected argument '--colector.interval' found\n\n  tip: a similar \
             argument exists: '--collector.interval'\n\nUsage: marie-exporter serve \
             --collector.interval <DURATION>\n\nFor more information, try '--help'.",
        ),
        (
            "serve --config.file missing.yml",
            "cannot read the configuration file missing.yml: entity not found",
        ),
        (
            "serve",
            "no database URL: set --database-url-file (a file that holds it), the \
             environment variable MARIE_EXPORTER_DATABASE_URL or DATABASE_URL, or \
             --database-url; it looks like \
             postgres://user:password@host:5432/database; or set libpq's PGHOST, PGDATABASE, PGUSER ...",
        ),
    ] {
        assert_eq!(message(line, &[], ""), expected);
    }
}

#[test]
fn a_bad_variable_is_told_by_its_name() {
    assert_eq!(
        message("serve", &[("MARIE_EXPORTER_LOG_FORMAT", "xml")], ""),
        "invalid value \"xml\" for log.format (environment variable MARIE_EXPORTER_LOG_FORMAT): \
         must be one of text, json"
    );
}

#[test]
fn a_variable_of_libpq_that_would_not_be_heeded_is_refused() {
    let url = ("DATABASE_URL", "postgres://h/d");
    for (variable, expected) in [
        (
            ("PGSSLMODE", "verify_full"),
            "invalid value \"verify_full\" for the database (environment variable PGSSLMODE): must be disable, \
             allow, prefer, require, verify-ca or verify-full",
        ),
        (
            ("PGPORT", "5432x"),
            "invalid value \"5432x\" for the database (environment variable PGPORT): must be a port number",
        ),
        (
            ("PGCHANNELBINDING", "require"),
            "invalid value \"require\" for the database (environment variable PGCHANNELBINDING): the driver \
             cannot bind a password to the TLS session; set it to prefer, and PGSSLMODE=verify-full",
        ),
        (
            ("PGREQUIREAUTH", "scram-sha-256"),
            "invalid value \"scram-sha-256\" for the database (environment variable PGREQUIREAUTH): this variable \
             is not supported, unset it",
        ),
    ] {
        assert_eq!(message("serve", &[url, variable], ""), expected);
        assert_eq!(message("serve", &[("PGHOST", "h"), variable], ""), expected);
    }
    // Alone they say where to connect to, if they name a host or a database.
    for variable in ["PGHOST", "PGHOSTADDR", "PGDATABASE"] {
        let Ok(Command::Serve(config)) = read("serve", &[(variable, "x")], "") else { panic!("{variable}") };
        assert!(matches!(config.database.url, Some(DatabaseUrl::Environment)));
    }
    assert!(message("serve", &[("PGUSER", "x")], "").starts_with("no database URL: set "));
}

#[test]
fn invalid_value_in_file_is_reported_with_line() {
    for (file, expected) in [
        (
            "\ncollector.timeout: 0s",
            "invalid value \"0s\" for collector.timeout (m.yml, line 2): must be from \
             1ms to 1h",
        ),
        (
            "collector.load-budget: 5",
            "invalid value \"5\" for collector.load-budget (m.yml, line 1): must be \
             above 0 and at most 1; for percent write 5%",
        ),
        (
            "collector.stuck: maybe",
            "invalid value \"maybe\" for collector.stuck (m.yml, line 1): must be \
             true or false",
        ),
        (
            "dags.progress-limit: -1",
            "invalid value \"-1\" for dags.progress-limit (m.yml, line 1): -1 is not \
             in 0..=4294967295",
        ),
        (
            "events.buckets.run: 1s,500ms",
            "invalid value \"1s,500ms\" for events.buckets.run (m.yml, line 1): each bound must \
             be above the one before",
        ),
        (
            "events.buckets.wait: 1s,2",
            "invalid value \"1s,2\" for events.buckets.wait (m.yml, line 1): bound 2: a duration \
             needs its unit, as in 2s",
        ),
        (
            "queues.limit: 0",
            "invalid value \"0\" for queues.limit (m.yml, line 1): 0 is not in \
             1..=100000",
        ),
        ("queues.include: a(b", "invalid value \"a(b\" for queues.include (m.yml, line 1): unclosed group"),
        (
            "web.telemetry-path: /-/ready",
            "invalid value \"/-/ready\" for web.telemetry-path (m.yml, line 1): is \
             the path of another page of the exporter, choose another",
        ),
        (
            "web.listen-address:\n- :1\n- host:2",
            "invalid value \"host:2\" for web.listen-address (m.yml, line 3): write \
             an IP address and a port, as in 127.0.0.1:10187, [::1]:10187 or :10187, \
             or unix:/run/marie.sock",
        ),
        (
            "web.listen-address: []",
            "m.yml, line 1: web.listen-address has no value; leave the key out for \
             its default",
        ),
        (
            "database.schema: ''",
            "m.yml, line 1: database.schema has no value; leave the key out for its \
             default",
        ),
        ("collector.interval: {seconds: 15}", "m.yml, line 1: collector.interval takes a single value"),
    ] {
        assert_eq!(message("serve --config.file m.yml", &[], file), expected);
    }
}

#[test]
fn unknown_key_in_file_is_reported_with_line() {
    for (file, expected) in [
        (
            "# own\ncolector.interval: 15s",
            "unknown key \"colector.interval\" (m.yml, line 2); did you mean \
             collector.interval?",
        ),
        (
            "config.file: m.yml",
            "unknown key \"config.file\" (m.yml, line 1); the keys are \
             collector.interval, collector.load-budget, collector.slow-interval, \
             collector.stale-after, collector.statistics, collector.stuck, \
             collector.timeout, dags.progress-limit, database-url, database-url-file, \
             database.schema, events.buckets.dag, events.buckets.run, \
             events.buckets.wait, events.new-series-hold, log.format, log.level, queues.exclude, queues.include, \
             queues.limit, sla.due-soon, state-file, stuck.after, web.config.file, \
             web.health-address, web.listen-address, web.systemd-socket, \
             web.telemetry-path, queues",
        ),
        (
            "queues:\n  extract:\n    stuck_after: 20",
            "invalid value \"20\" for queues: \"extract\": stuck_after (m.yml, line 3): a \
             duration needs its unit, as in 20s",
        ),
        (
            "queues:\n  extract:\n    stuck: 20m",
            "unknown key \"stuck\" (m.yml, line 3); a queue has the key stuck_after",
        ),
        (
            "queues: {extract: 20m}",
            "m.yml, line 1: queues: \"extract\" must be as in queues: {extract: \
             {stuck_after: 20m}}",
        ),
        (
            "log.level: info\nlog.level: warn",
            "m.yml, line 2: not valid YAML: duplicate mapping key `log.level` is not \
             allowed here",
        ),
        (
            "log.level: info\n  log.format: [text",
            "m.yml, line 2: not valid YAML: mapping values are not allowed in this \
             context",
        ),
        (
            "- log.level",
            "m.yml, line 1: the file must be a mapping, as in \"collector.interval: \
             15s\"",
        ),
    ] {
        assert_eq!(message("serve --config.file m.yml", &[], file), expected);
    }
}

#[test]
fn messages_contain_no_password() {
    let own = "serve --config.file m.yml";
    for (line, environment, file) in [
        ("serve postgres://u:hunter2@h/d", &[][..], ""),
        ("serve --database.url=postgres://u:hunter2@h/d", &[], ""),
        ("serve --log.level postgres://u:hunter2@h/d", &[], ""),
        ("postgres://u:hunter2@h/d", &[], ""),
        ("serve --database-url postgres://u:hunter2@h:port/d", &[], ""),
        ("serve --database-url hunter2", &[], ""),
        ("serve", &[("DATABASE_URL", "mysql://u:hunter2@h/d")], ""),
        ("serve", &[("MARIE_EXPORTER_LOG_LEVEL", SECRET)], ""),
        ("serve --database-url-file x --database-url postgres://u:hunter2@h/d", &[], ""),
        ("serve password=hunter2", &[], ""),
        ("serve", &[("MARIE_EXPORTER_LOG_LEVEL", "host=h password = hunter2")], ""),
        ("serve", &[("PGSERVICE", SECRET), ("DATABASE_URL", "postgres://h/d")], ""),
        ("serve --database-url-file postgres://u:hunter2@h/d", &[], ""),
        ("serve --config.file=postgres://u:hunter2@h/d", &[], ""),
        ("serve", &[("MARIE_EXPORTER_DATABASE_URL_FILE", SECRET)], ""),
        (own, &[], "database-url: hunter2"),
        (own, &[], "database-url-file: postgres://u:hunter2@h/d"),
        (own, &[], "database-url: [hunter2]"),
        (own, &[], "database-url: {hunter2: 1}"),
        (own, &[], "database-url: 'postgres://u:hunter2@h/d"),
        (own, &[], "database-url: \"hunter2\\q\""),
        (own, &[], "database-url: !hunter2 x"),
        (own, &[], "database-url: *hunter2"),
        (own, &[], "database-url: postgres://u:hunter2@h/d\nnonsense: 1"),
        (own, &[], "database-url: postgres://u:hunter2@h/d: x"),
        (own, &[], "postgres://u:hunter2@h/d"),
        (own, &[], "database-url: |\npostgres://u:hunter2@h/d"),
        (own, &[], "database-url: @hunter2"),
        (own, &[], "postgres://u:hunter2@h/d: 1"),
        (own, &[], "log.level: postgres://u:hunter2@h/d"),
    ] {
        // It asserts that the password is not there.
        message(line, environment, file);
    }
}

#[test]
fn help_names_variables_without_values() {
    let environment: &[_] = &[("DATABASE_URL", SECRET), ("MARIE_EXPORTER_LOG_LEVEL", "hunter2")];
    for line in ["serve --help", "serve -h", "check --help", "help serve"] {
        let error = read(line, environment, "").unwrap_err();
        assert_eq!(error.exit_code(), 0);
        let help = error.to_string();
        assert!(!help.contains("hunter2"), "{help}");
        assert!(help.contains("MARIE_EXPORTER_WEB_LISTEN_ADDRESS"), "{help}");
        assert!(help.contains("--[no-]collector.stuck"), "{help}");
    }
    assert_eq!(read("--version", &[], "").unwrap_err().exit_code(), 0);
    assert_eq!(read("", &[], "").unwrap_err().exit_code(), 2);
}

#[test]
fn the_help_reads_well_at_80_columns() {
    let line = args::command_line(COLLECTORS).term_width(80);
    let help = line.try_get_matches_from(["marie-exporter", "serve", "--help"]).unwrap_err();
    insta::assert_snapshot!(help.to_string());
}
