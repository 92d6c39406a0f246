//! Faults of the process itself: no descriptors, no disk, a clock that is set, crowds, nonsense, a twin. It goes on, and recovers.

#[cfg(target_os = "linux")]
mod clock;
mod crowds;
mod flooded;
mod limits;
mod nonsense;
mod silent;
mod twins;
mod unread;
