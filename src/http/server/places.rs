//! Limits the number of open connections, and closes idle ones if others wait.
//!
//! A connection is idle while the server waits for its client: for a request's head, or for room to write. When all
//! places are taken, the connection that has been idle for longest ends, among those of the client with the most places. So
//! neither one client nor many idle ones can lock others out. Clients that send and read at once keep their connections.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

use crate::http::client::Client;

/// How long a connection may be idle while others wait for its place. A client needs one round trip.
pub(super) const GRACE: Duration = Duration::from_millis(500);

/// The open connections of the listeners that share a limit.
#[derive(Debug)]
pub struct Places {
    limit: usize,
    taken: Mutex<Taken>,
    /// A place was freed, or its connection is no longer idle.
    changed: Notify,
}

#[derive(Debug, Default)]
struct Taken {
    /// By number, in order of acceptance.
    connections: BTreeMap<u64, Connection>,
    last_number: u64,
}

#[derive(Debug)]
struct Connection {
    client: Client,
    idle_since: Option<Instant>,
    /// Whether it has been told to end if it is still idle.
    is_ending: bool,
    end: Arc<Notify>,
}

/// A connection's place. Dropping it frees the place.
#[derive(Debug)]
pub(super) struct Place {
    places: Arc<Places>,
    number: u64,
    end: Arc<Notify>,
}

impl Places {
    /// Returns places for at most `limit` connections, and for at most the `share`th part of the process's open files.
    /// Sessions of the database need files as well.
    pub fn within(limit: usize, share: usize) -> Self {
        Self::new(open_files().map_or(limit, |files| (files / share).clamp(1, limit)))
    }

    pub(super) fn new(limit: usize) -> Self {
        Places { limit, taken: Mutex::default(), changed: Notify::new() }
    }

    /// Takes a place for a connection of this client. Waits if none is free.
    pub(super) async fn take(self: &Arc<Self>, client: Client) -> Place {
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            match self.try_take(client) {
                Ok(place) => return place,
                // Before that, no connection has been idle for long enough.
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
        if taken.connections.len() < self.limit {
            taken.last_number += 1;
            let (number, end) = (taken.last_number, Arc::new(Notify::new()));
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

/// Returns how many files the process may have open, or `None` if /proc does not show it. The system call for it is
/// forbidden by the systemd unit.
fn open_files() -> Option<usize> {
    let limits = std::fs::read_to_string("/proc/self/limits").ok()?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

impl Taken {
    /// Returns the connection to close, or when to search for one again.
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
    /// Records whether the server waits for the client.
    pub(super) fn set_idle(&self, is_idle: bool) {
        let mut taken = self.places.taken();
        if let Some(connection) = taken.connections.get_mut(&self.number) {
            connection.idle_since =
                if is_idle { connection.idle_since.or_else(|| Some(Instant::now())) } else { None };
        }
    }

    /// Waits until the connection has to end, because it is idle and others wait for its place.
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
