//! The pass over finished jobs, on tables that change between its slices.

mod divided;
mod reader;
mod rewrites;
mod transitions;
