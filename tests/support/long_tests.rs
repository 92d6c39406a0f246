//! Which size a test has: that of `make test`, or that of `make test-all`.

/// Whether `MARIE_EXPORTER_LONG_TESTS=1` is set: each test then goes through all its cases.
pub(crate) fn is_long_run() -> bool {
    std::env::var("MARIE_EXPORTER_LONG_TESTS").is_ok_and(|value| value == "1")
}
