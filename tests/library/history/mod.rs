//! The pass over finished jobs, on tables that change between its slices.

mod divided;
mod large;
mod plans;
mod reader;
mod rewrites;
mod transitions;
