//! Prometheus exporter for the Marie-AI job scheduler.

#[cfg(feature = "demo")]
pub mod demo;
