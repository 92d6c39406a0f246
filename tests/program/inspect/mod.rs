//! The reading commands on real PostgreSQL, in all four shapes of Marie's schema: lists equal the SQL of the maintenance
//! page and the metrics, a job or DAG is described correctly, output is readable for people and programs, and commands
//! need no more rights than granted.

mod dag;
mod in_process;
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
