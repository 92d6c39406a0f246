//! Output for people, without knowledge of Marie.
//!
//! [`escape`] makes text from outside harmless, [`table`] prints rows below [`columns`], [`duration`] formats durations, and
//! [`console`] is the dialogue of a command that changes something.

pub mod columns;
pub mod console;
pub mod duration;
pub mod escape;
pub mod plural;
pub mod table;
