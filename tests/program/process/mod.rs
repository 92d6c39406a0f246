//! Faults of the process and its clients: no descriptors, a full disk, a clock step, many or silent clients, malformed
//! requests, a second exporter. The exporter keeps running and recovers.

#[cfg(target_os = "linux")]
mod clock;
mod crowds;
mod flooded;
mod limits;
mod nonsense;
mod silent;
mod twins;
mod unread;
