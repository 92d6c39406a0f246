//! The command line of marie-exporter.

fn main() {}
