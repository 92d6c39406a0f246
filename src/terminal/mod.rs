//! Text for people: escaping, tables, and the dialogue of a command.

pub mod escape;
