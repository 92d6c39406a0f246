//! The binary as a user runs it: flags, HTTP, signals and exit codes.

mod checking;
mod ending;
mod routes;
mod starting;
