//! The runner on a real PostgreSQL that is slow, locked, changed, not permitted or not reachable.

mod changes;
mod division;
mod load;
mod locks;
mod losses;
mod manners;
mod outages;
mod pruning;
