//! The binary as a user starts it, over HTTP, signals and exit codes.

mod checking;
mod ending;
mod routes;
mod starting;
