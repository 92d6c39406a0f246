//! What happens to the database at night, with the real binary beside it: it goes, hangs, changes, fills up. While
//! each fault comes and goes `/metrics` answers, says what is wrong, and shows fresh numbers again within two
//! intervals, without a restart. `FAULTS_ROWS=10000000 cargo test --test program faults::flood` writes all of the flood
//! (10 GB, half an hour on a busy machine); without it there are 100,000 rows.

mod dates;
mod flood;
mod gone;
mod hanging;
mod hole;
mod lock_table;
mod migrated;
mod pooler;
mod signals;
mod standby;
mod told;
