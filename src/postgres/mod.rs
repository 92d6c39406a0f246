//! Sessions with PostgreSQL. Knows nothing of Marie's tables.
//!
//! [`connect`] opens a [`Connection`], which limits each statement on the client's side. A [`Session`] keeps one
//! connection from run to run and wraps each run in a transaction with the settings of a [`Transaction`]. Every error
//! becomes a [`Failure`] with a [`Reason`].

mod certificate;
mod connect;
mod connection;
mod failure;
mod session;
mod transaction;

pub(crate) use self::connect::{LONGEST as LONGEST_CONNECT, connect, connect_with, warnings};
pub use self::connection::Connection;
pub use self::failure::{Failure, Reason};
pub use self::session::{Run, Session};
pub use self::transaction::{Mode, Plans, Transaction};
