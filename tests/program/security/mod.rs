//! What an attacker or a mistake could make of the exporter: the rights of its role, the way to its database,
//! hostile names, secrets in what it says.

mod addresses;
mod certificates;
mod columns;
mod confused;
mod encodings;
mod excess;
mod files;
mod filtered;
mod memory;
mod names;
mod planted;
mod planted_set;
mod redaction;
mod refusals;
mod role;
mod secrets;
mod texts;
mod tls;
mod variables;
