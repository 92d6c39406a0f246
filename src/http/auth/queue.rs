//! Queue of the logins that wait for bcrypt, which verifies one at a time.
//!
//! The next turn goes to the client whose last turn is longest ago. So password guessing from one address does not delay
//! logins from others. Among the logins of one client, repeated ones are first: those that were given up before their
//! turn and come again. A scraper repeats its password, an attacker sends the next guess.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard};
use rand::RngExt;
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::http::client::Client;

/// Most logins that wait at the same time. Each keeps a connection and its request in memory.
pub(super) const WAITING: usize = 256;

/// Up to this many logins of one client have their turns in order: at 0.1 s each, the last is verified before a scrape
/// times out. With more, a random one is next, because the oldest would have timed out already.
const IN_ORDER: usize = 64;

/// Most clients whose last turn is remembered.
const REMEMBERED: usize = 1024;

/// Most logins that are remembered as given up. A flood of 300 logins a second displaces them all within a minute.
const GIVEN_UP: usize = 16 * 1024;

/// Number of a name and a password, from which neither can be computed.
pub(super) type Fingerprint = u64;

/// The waiting logins, and who has the turn.
#[derive(Default, Clone)]
pub(super) struct LoginQueue(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    /// In order of arrival.
    waiting: Vec<Waiting>,
    /// Whether a login is being verified.
    is_busy: bool,
    last_turns: BTreeMap<Client, Instant>,
    given_up: GivenUp,
    arrivals: u64,
}

/// Logins that were rejected, or whose client disconnected, before their turn.
#[derive(Default)]
struct GivenUp {
    fingerprints: HashSet<Fingerprint>,
    /// The same, oldest first.
    order: VecDeque<Fingerprint>,
}

struct Waiting {
    number: u64,
    client: Client,
    fingerprint: Fingerprint,
    is_repeated: bool,
    turn: oneshot::Sender<Turn>,
}

/// A login's place in the queue. Dropping it frees the place.
pub(super) struct Ticket {
    queue: LoginQueue,
    number: u64,
    turn: oneshot::Receiver<Turn>,
}

/// The right to run bcrypt. Dropping it gives the next login its turn.
pub(super) struct Turn(LoginQueue);

impl LoginQueue {
    /// Adds a login. Returns `None` if the queue is full and no other client has more places than this one.
    pub(super) fn enter(&self, client: Client, fingerprint: Fingerprint) -> Option<Ticket> {
        let ticket = {
            let mut state = self.state();
            let is_repeated = state.given_up.fingerprints.contains(&fingerprint);
            if state.waiting.len() >= WAITING && !state.make_room(client, is_repeated) {
                state.given_up.add(fingerprint);
                return None;
            }
            state.arrivals += 1;
            let (number, (turn, receiver)) = (state.arrivals, oneshot::channel());
            state.waiting.push(Waiting { number, client, fingerprint, is_repeated, turn });
            Ticket { queue: self.clone(), number, turn: receiver }
        };
        self.advance();
        Some(ticket)
    }

    /// Gives the turn to the next login, unless one has it.
    fn advance(&self) {
        let next = {
            let mut state = self.state();
            let next = if state.is_busy { None } else { state.take_next() };
            state.is_busy |= next.is_some();
            next
        };
        // If that login has left meanwhile, `send` returns the turn. Dropping it gives it to the next login.
        drop(next.map(|next| next.turn.send(Turn(self.clone()))));
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock()
    }

    #[cfg(test)]
    pub(super) fn waiting(&self) -> usize {
        self.state().waiting.len()
    }
}

impl State {
    /// Frees a place for a login of `client`, and returns whether it could.
    ///
    /// It removes the newest login of the client with the most, if that client has more than `client` would have. Between
    /// clients with equally many, the one with the more recent turn loses. Otherwise a repeated login replaces one of the
    /// same client that is not repeated.
    fn make_room(&mut self, client: Client, is_repeated: bool) -> bool {
        let count = |client: Client| self.waiting.iter().filter(|other| other.client == client).count();
        let rank = |client: Client, more: usize| (count(client) + more, self.last_turns.get(&client));
        let most = self.waiting.iter().map(|other| other.client).max_by_key(|other| rank(*other, 0));
        let most = most.filter(|most| rank(*most, 0) > rank(client, 1));
        let is_replaceable = |other: &Waiting| match most {
            Some(most) => other.client == most,
            None => is_repeated && other.client == client && !other.is_repeated,
        };
        let Some(newest) = self.waiting.iter().rposition(is_replaceable) else { return false };
        let removed = self.waiting.remove(newest);
        self.given_up.add(removed.fingerprint);
        true
    }

    /// Removes and returns the login whose turn is next.
    fn take_next(&mut self) -> Option<Waiting> {
        let last_turn = |client: Client| self.last_turns.get(&client);
        let client = self.waiting.iter().map(|other| other.client).min_by_key(|client| last_turn(*client))?;
        let select = |is_wanted: &dyn Fn(&Waiting) -> bool| -> Vec<usize> {
            let own =
                |index: &usize| self.waiting[*index].client == client && is_wanted(&self.waiting[*index]);
            (0..self.waiting.len()).filter(own).collect()
        };
        let repeated = select(&|other| other.is_repeated);
        let choice = if repeated.is_empty() { select(&|_| true) } else { repeated };
        let chosen = if choice.len() <= IN_ORDER { 0 } else { rand::rng().random_range(0..choice.len()) };
        if self.last_turns.len() >= REMEMBERED
            && let Some((oldest, _)) = self.last_turns.iter().min_by_key(|(_, at)| **at)
        {
            let oldest = *oldest;
            self.last_turns.remove(&oldest);
        }
        self.last_turns.insert(client, Instant::now());
        Some(self.waiting.remove(choice[chosen]))
    }
}

impl GivenUp {
    fn add(&mut self, fingerprint: Fingerprint) {
        if self.fingerprints.insert(fingerprint) {
            self.order.push_back(fingerprint);
        }
        if self.order.len() > GIVEN_UP
            && let Some(oldest) = self.order.pop_front()
        {
            self.fingerprints.remove(&oldest);
        }
    }
}

impl Ticket {
    /// Waits for the turn. Returns `None` if another client got the place.
    pub(super) async fn turn(mut self) -> Option<Turn> {
        (&mut self.turn).await.ok()
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut state = self.queue.state();
        // It is not in the list if it has had its turn.
        if let Some(index) = state.waiting.iter().position(|other| other.number == self.number) {
            let left = state.waiting.remove(index);
            state.given_up.add(left.fingerprint);
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.state().is_busy = false;
        self.0.advance();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(number: usize) -> Client {
        Client::V6(number as u64)
    }

    /// Adds a login that is not a repeated one.
    fn enter(queue: &LoginQueue, client: Client) -> Option<Ticket> {
        queue.enter(client, rand::random())
    }

    #[tokio::test]
    async fn client_without_recent_turn_is_next() {
        let queue = LoginQueue::default();
        let first = enter(&queue, client(1)).unwrap().turn().await.unwrap();
        let mut guesses: Vec<Ticket> =
            (0..20).map(|number| enter(&queue, client(1 + number % 2)).unwrap()).collect();
        let scraper = enter(&queue, client(9)).unwrap();
        drop(first);
        // Client 2 has had no turn either, and its login arrived first.
        let second = guesses.remove(1).turn().await.unwrap();
        drop(second);
        let third = scraper.turn().await.unwrap();
        drop(third);
        assert!(guesses.remove(0).turn().await.is_some());
    }

    #[tokio::test]
    async fn logins_of_one_client_are_computed_in_order() {
        let queue = LoginQueue::default();
        let first = enter(&queue, client(1)).unwrap().turn().await.unwrap();
        let waiting: Vec<Ticket> = (0..IN_ORDER).map(|_| enter(&queue, client(1)).unwrap()).collect();
        drop(first);
        for ticket in waiting {
            assert!(ticket.turn().await.is_some());
        }
    }

    #[tokio::test]
    async fn full_queue_makes_room_for_other_clients() {
        let queue = LoginQueue::default();
        let _turn = enter(&queue, client(1)).unwrap().turn().await.unwrap();
        let mut guesses: Vec<Ticket> = (0..WAITING).map(|_| enter(&queue, client(1)).unwrap()).collect();
        assert!(enter(&queue, client(1)).is_none(), "room for the client that fills the queue");
        let _scraper = enter(&queue, client(2)).unwrap();
        assert!(guesses.pop().unwrap().turn().await.is_none(), "the newest login lost its place");
        assert_eq!(queue.waiting(), WAITING);
        let others: Vec<Ticket> = (3..=WAITING).filter_map(|number| enter(&queue, client(number))).collect();
        assert_eq!((others.len(), queue.waiting()), (WAITING - 2, WAITING));
        drop((others, guesses));
        assert_eq!(queue.waiting(), 1);
    }

    #[tokio::test]
    async fn one_guess_each_from_many_clients_leaves_room() {
        let queue = LoginQueue::default();
        for number in 0..WAITING {
            drop(enter(&queue, client(number)).unwrap().turn().await.unwrap());
        }
        let _turn = enter(&queue, client(0)).unwrap().turn().await.unwrap();
        let _guesses: Vec<Ticket> =
            (0..WAITING).map(|number| enter(&queue, client(number)).unwrap()).collect();
        let scraper = enter(&queue, client(WAITING));
        assert!(scraper.is_some());
        assert!(enter(&queue, client(1)).is_none());
    }

    #[tokio::test]
    async fn repeated_login_is_next_of_its_client() {
        let queue = LoginQueue::default();
        let turn = enter(&queue, client(1)).unwrap().turn().await.unwrap();
        let mut guesses: VecDeque<Ticket> = (0..WAITING).map(|_| enter(&queue, client(1)).unwrap()).collect();
        assert!(queue.enter(client(1), 7).is_none(), "the queue is full");
        let scraper = queue.enter(client(1), 7).unwrap();
        assert!(guesses.pop_back().unwrap().turn().await.is_none(), "it took the newest guess's place");
        drop(turn);
        drop(scraper.turn().await.unwrap());
        drop(guesses);
        // A login whose client disconnected before its turn counts as well.
        drop(queue.enter(client(2), 8).unwrap().turn().await);
        let turn = enter(&queue, client(3)).unwrap().turn().await.unwrap();
        drop(queue.enter(client(1), 9).unwrap());
        assert!(queue.state().given_up.fingerprints.contains(&9));
        assert!(!queue.state().given_up.fingerprints.contains(&8), "it had its turn");
        drop(turn);
    }

    #[test]
    fn given_up_logins_are_forgotten_in_order() {
        let mut given_up = GivenUp::default();
        (0..=GIVEN_UP as u64).for_each(|fingerprint| given_up.add(fingerprint));
        given_up.add(1);
        assert_eq!((given_up.fingerprints.len(), given_up.order.len()), (GIVEN_UP, GIVEN_UP));
        assert!(!given_up.fingerprints.contains(&0) && given_up.fingerprints.contains(&1));
    }
}
