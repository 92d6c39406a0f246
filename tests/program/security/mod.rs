//! Attacks and mistakes: excess rights of the role, the connection to the database, hostile names and servers, secrets in
//! the output. SECURITY.md's promises link to these tests.

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
