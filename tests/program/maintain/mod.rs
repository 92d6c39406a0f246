//! The maintaining commands, run as the built program on a real PostgreSQL.
//!
//! The tests hold that archive loses nothing, that purges delete what the maintenance page's SQL would delete, which role may
//! run what, and that queues, indexes and backups are made.

mod archive;
mod archive_columns;
mod backup;
mod collisions;
mod estimate;
mod history;
mod indexes;
mod interruption;
mod kills;
mod purge;
mod queues;
mod rights;
mod scheduler;
mod traffic;
mod truncate_all;
mod unusual_data;
mod waits;
