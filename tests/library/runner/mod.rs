//! The lanes against a real PostgreSQL that is slow, locked, changed, forbidden, or gone.

mod changes;
mod division;
mod load;
mod locks;
mod losses;
mod manners;
mod outages;
mod pruning;
