//! The maintaining commands through the real binary on a real PostgreSQL, by question: does the archive lose nothing,
//! whatever is going on; do the purges delete what the maintenance page's own SQL would; who may do it; queues,
//! indexes, backup.

mod archive;
mod backup;
mod collisions;
mod columns;
mod estimate;
mod everything;
mod history;
mod indexes;
mod interruption;
mod kills;
mod odd;
mod purge;
mod queues;
mod rights;
mod scheduler;
mod traffic;
mod waits;
