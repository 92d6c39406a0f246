//! Crowds that try passwords: they pay, others do not.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use crate::client::Client;
use crate::exporter::{Exporter, PASSWORD};

const CROWD: usize = 60;

#[tokio::test]
async fn while_a_crowd_tries_passwords_who_is_known_is_served_at_once_and_who_is_not_gets_in() {
    let hash = bcrypt::hash(PASSWORD, 10).unwrap();
    let late = bcrypt::hash("another", 10).unwrap();
    let exporter = Exporter::serve(&format!("basic_auth_users: {{alice: {hash}, late: {late}}}"));
    let address = exporter.address().to_owned();
    let alice = Client::plain().logging_in("alice", PASSWORD);
    assert_eq!(alice.get(&address, "/metrics").await.unwrap().status, 200);

    let over = Arc::new(AtomicBool::new(false));
    let (refused, turned_away) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let mut crowd = JoinSet::new();
    for member in 0..CROWD {
        let (address, over) = (address.clone(), Arc::clone(&over));
        let (refused, turned_away) = (Arc::clone(&refused), Arc::clone(&turned_away));
        crowd.spawn(async move {
            let mut tried = 0;
            while !over.load(Ordering::Relaxed) {
                tried += 1;
                let name = if member % 2 == 0 { "alice" } else { "nobody" };
                let client = Client::plain().logging_in(name, &format!("{member} {tried}"));
                let answer =
                    client.from(Ipv4Addr::new(127, 0, 0, 2)).get(&address, "/metrics").await.unwrap();
                match answer.status {
                    401 => refused.fetch_add(1, Ordering::Relaxed),
                    429 => turned_away.fetch_add(1, Ordering::Relaxed),
                    status => panic!("{status} for a wrong password"),
                };
                // One machine hammers itself here; a pause leaves it time for the others.
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
    }
    let deadline = Instant::now() + Duration::from_secs(30);
    while refused.load(Ordering::Relaxed) < 4 || turned_away.load(Ordering::Relaxed) < 4 {
        assert!(Instant::now() < deadline, "no crowd: {refused:?} refused, {turned_away:?} turned away");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    for _ in 0..10 {
        let asked = Instant::now();
        assert_eq!(alice.get(&address, "/metrics").await.unwrap().status, 200);
        assert!(asked.elapsed() < Duration::from_secs(1), "{:?}", asked.elapsed());
    }
    // The first login of somebody else, from elsewhere, has a few of the crowd before it and no more.
    let asked = Instant::now();
    let late = Client::plain().logging_in("late", "another").get(&address, "/metrics").await.unwrap();
    assert_eq!(late.status, 200);
    assert!(asked.elapsed() < Duration::from_secs(10), "{:?}", asked.elapsed());
    over.store(true, Ordering::Relaxed);
    while let Some(member) = crowd.join_next().await {
        member.unwrap();
    }
}
