//! Who waits for a computation: few in all, and fewer from one address.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

/// Logins that wait for their computation at the same time, and how many of them may be from one address.
pub(super) const WAITING: usize = 32;
pub(super) const WAITING_FROM_ONE: usize = 4;

/// The addresses of those who wait.
#[derive(Default)]
pub(super) struct Queue(Arc<Mutex<Vec<IpAddr>>>);

/// A place in the queue, free again when it is dropped.
pub(super) struct Place {
    queue: Arc<Mutex<Vec<IpAddr>>>,
    from: IpAddr,
}

impl Queue {
    /// None where there is no place left.
    pub(super) fn enter(&self, from: IpAddr) -> Option<Place> {
        let mut queue = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let own = queue.iter().filter(|other| **other == from).count();
        if queue.len() >= WAITING || own >= WAITING_FROM_ONE {
            return None;
        }
        queue.push(from);
        Some(Place { queue: Arc::clone(&self.0), from })
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(place) = queue.iter().position(|other| *other == self.from) {
            queue.swap_remove(place);
        }
    }
}
