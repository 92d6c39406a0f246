//! Prometheus exporter for the Marie-AI job scheduler.

pub mod config;
