//! The places of connections: so many at the same time, and none that its client leaves idle while others wait.
//!
//! A connection is idle while the server waits for its client: for a request's head, or for room to write. When all
//! places are taken, the longest idle connection of the client with the most places ends. So neither one client nor
//! many idle ones can keep others out, and a crowd that sends and reads at once loses no connection.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

use crate::http::client::Client;

/// How long a connection may be idle while others wait for its place. A client needs as long as a packet there and back.
pub(super) const GRACE: Duration = Duration::from_millis(500);

/// The connections of all listeners.
#[derive(Debug)]
pub struct Places {
    most: usize,
    taken: Mutex<Taken>,
    /// A place was freed, or its connection is no longer idle.
    changed: Notify,
}

#[derive(Debug, Default)]
struct Taken {
    /// By number, which is the order of their beginning.
    connections: BTreeMap<u64, Connection>,
    last: u64,
}

#[derive(Debug)]
struct Connection {
    client: Client,
    idle_since: Option<Instant>,
    /// It is to end if it is still idle.
    is_ending: bool,
    end: Arc<Notify>,
}

/// A connection's place, free again when it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    places: Arc<Places>,
    number: u64,
    end: Arc<Notify>,
}

impl Places {
    /// As many places as this, or as a share of the process's open files allows: one of `share`. Sessions of the database
    /// need files as well.
    pub fn within(most: usize, share: usize) -> Self {
        Self::with(open_files().map_or(most, |files| (files / share).clamp(1, most)))
    }

    pub(super) fn with(most: usize) -> Self {
        Places { most, taken: Mutex::default(), changed: Notify::new() }
    }

    /// Takes a place for a connection of this client, and waits for one if there is none.
    pub(super) async fn take(self: &Arc<Self>, client: Client) -> Place {
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            match self.try_take(client) {
                Ok(place) => return place,
                // Until then no connection has been idle for long enough.
                Err(retry_at) => drop(timeout_at(retry_at, changed).await),
            }
        }
    }

    /// Returns how many places are taken.
    pub fn count(&self) -> usize {
        self.taken().connections.len()
    }

    fn try_take(self: &Arc<Self>, client: Client) -> Result<Place, Instant> {
        let mut taken = self.taken();
        if taken.connections.len() < self.most {
            taken.last += 1;
            let (number, end) = (taken.last, Arc::new(Notify::new()));
            let idle_since = Some(Instant::now());
            let connection = Connection { client, idle_since, is_ending: false, end: Arc::clone(&end) };
            taken.connections.insert(number, connection);
            return Ok(Place { places: Arc::clone(self), number, end });
        }
        let now = Instant::now();
        if taken.connections.values().any(|connection| connection.is_ending) {
            return Err(now + GRACE);
        }
        match taken.victim(now) {
            Ok(victim) => {
                victim.is_ending = true;
                victim.end.notify_one();
                Err(now + GRACE)
            }
            Err(retry_at) => Err(retry_at),
        }
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock()
    }
}

/// Returns how many files the process may have open, where the system tells. The call for it is one that the systemd unit
/// forbids.
fn open_files() -> Option<usize> {
    let limits = std::fs::read_to_string("/proc/self/limits").ok()?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

impl Taken {
    /// Returns the connection that has to end, or when to look for one again.
    fn victim(&mut self, now: Instant) -> Result<&mut Connection, Instant> {
        let mut counts = BTreeMap::<Client, usize>::new();
        for connection in self.connections.values() {
            *counts.entry(connection.client).or_default() += 1;
        }
        let idle = self.connections.values_mut().filter_map(|connection| {
            let since = connection.idle_since?;
            Some((since, connection))
        });
        let (mut earliest, mut victim) = (now + GRACE, None);
        for (since, connection) in idle {
            earliest = earliest.min(since + GRACE);
            let rank = (counts.get(&connection.client).copied(), std::cmp::Reverse(since));
            if since + GRACE <= now && victim.as_ref().is_none_or(|(highest, _)| *highest < rank) {
                victim = Some((rank, connection));
            }
        }
        victim.map(|(_, connection)| connection).ok_or(earliest)
    }
}

impl Place {
    /// Records that the server waits for the client, or that it does not.
    pub(super) fn set_idle(&self, is_idle: bool) {
        let mut taken = self.places.taken();
        if let Some(connection) = taken.connections.get_mut(&self.number) {
            connection.idle_since =
                if is_idle { connection.idle_since.or_else(|| Some(Instant::now())) } else { None };
        }
    }

    /// Returns when the connection has to end, because it is idle and others wait for its place.
    pub(super) async fn ended(&self) {
        loop {
            self.end.notified().await;
            let mut taken = self.places.taken();
            let Some(connection) = taken.connections.get_mut(&self.number) else { return };
            if connection.idle_since.is_some() {
                return;
            }
            connection.is_ending = false;
            drop(taken);
            self.places.changed.notify_waiters();
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.taken().connections.remove(&self.number);
        self.places.changed.notify_waiters();
    }
}

#[cfg(test)]
#[path = "places_tests.rs"]
mod tests;
