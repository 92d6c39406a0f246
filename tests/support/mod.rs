//! Shared by tests and benches: servers and databases, the program as a process, scrapes, proxies.

pub(crate) mod check_metrics;
pub(crate) mod databases;
pub(crate) mod fake_server;
pub(crate) mod long_tests;
pub(crate) mod memory;
pub(crate) mod metrics;
pub(crate) mod process;
pub(crate) mod prometheus;
pub(crate) mod proxy;
pub(crate) mod random_tables;
pub(crate) mod running;
pub(crate) mod scrape;
pub(crate) mod watch;
