//! Every query on real PostgreSQL, on each of the four shapes of Marie's schema.
//!
//! The tests check that statements fit their declarations, that missing tables and columns are tolerated, that the
//! exposition is exact, that the numbers equal the maintenance page and the metric contract, and which queues are
//! published.

mod agreement;
mod contract;
mod dag_progress;
mod declared;
mod exposition;
mod history;
mod lacking;
mod locks;
mod maintenance;
mod optional;
mod parents;
mod promtool;
mod published;
mod random;
mod rows;
mod runbooks;
mod scene;
mod scheduler;
mod slices;
mod sql_files;
mod storage;
