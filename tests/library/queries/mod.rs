//! Every query against real PostgreSQL, on each of the four shapes of Marie's schema, by question: do the
//! statements fit their declarations, what may be lacking, is the exposition exact, do the numbers agree with
//! the maintenance page and with the metric contract, which queues are published.

mod agreement;
mod contract;
mod dag_progress;
mod declared;
mod exposition;
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
mod sql_files;
mod storage;
