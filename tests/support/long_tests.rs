//! Chooses the size of a test: `make test` runs a part of its cases, `make test-all` runs all.

/// Returns whether `MARIE_EXPORTER_LONG_TESTS=1` is set, so that each test runs all of its cases.
pub(crate) fn is_long_run() -> bool {
    std::env::var("MARIE_EXPORTER_LONG_TESTS").is_ok_and(|value| value == "1")
}
