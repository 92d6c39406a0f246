//! The reading commands on real PostgreSQL, in all four shapes of Marie's schema, by question: do the lists hold what the
//! maintenance page's own SQL and the metrics hold, is one job or DAG told rightly, is it printed so that people and
//! programs can read it, and what may it read.

mod asking;
mod dag;
mod lists;
mod locks;
mod metrics;
mod mistakes;
mod printed;
mod rights;
mod statistics;
mod terminal;
mod timeline;
mod timeline_start;
mod times;
mod top;
