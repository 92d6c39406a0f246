//! Sessions with PostgreSQL, without knowledge of Marie's tables.
//!
//! [`connect`] opens a [`Connection`], which has a time limit for each statement. A [`Session`] keeps one connection
//! from run to run, and executes each run in a transaction with the settings of a [`Transaction`]. Each error becomes a
//! [`Failure`] with a [`Reason`].

mod certificate;
mod connect;
mod connection;
mod failure;
pub mod programs;
mod session;
mod transaction;

pub(crate) use self::connect::{LONGEST as LONGEST_CONNECT, connect, connect_with, warnings};
pub use self::connection::Connection;
pub use self::failure::{Failure, Reason};
pub use self::session::{Run, Session};
pub use self::transaction::{Mode, Plans, Transaction};
