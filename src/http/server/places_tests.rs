use super::*;

fn client(number: u64) -> Client {
    Client::V6(number)
}

/// Takes a place. Meanwhile each of the `idle` connections ends as soon as the server closes it.
async fn take(places: &Arc<Places>, from: Client, idle: &mut Vec<Place>) -> Place {
    loop {
        if let Ok(place) = tokio::time::timeout(Duration::from_millis(10), places.take(from)).await {
            return place;
        }
        let mut kept = Vec::new();
        for place in idle.drain(..) {
            if tokio::time::timeout(Duration::ZERO, place.ended()).await.is_err() {
                kept.push(place);
            }
        }
        *idle = kept;
    }
}

fn clients(idle: &[Place]) -> Vec<Client> {
    idle.iter().map(|place| place.places.taken().connections[&place.number].client).collect()
}

async fn full(places: &Arc<Places>, clients: &[u64]) -> Vec<Place> {
    let mut taken = Vec::new();
    for number in clients {
        taken.push(places.take(client(*number)).await);
        tokio::time::advance(Duration::from_millis(1)).await;
    }
    taken
}

#[tokio::test(start_paused = true)]
async fn oldest_idle_connection_of_largest_client_ends() {
    let places = Arc::new(Places::new(5));
    let mut idle = full(&places, &[2, 1, 1, 1, 3]).await;
    tokio::time::advance(GRACE).await;
    let began = Instant::now();
    let scraper = take(&places, client(9), &mut idle).await;
    assert_eq!(clients(&idle), [client(2), client(1), client(1), client(3)]);
    assert!(began.elapsed() < GRACE / 10, "{:?}", began.elapsed());
    // The longest idle connection of the client with the most places ends.
    let _second = take(&places, client(9), &mut idle).await;
    assert_eq!(clients(&idle), [client(2), client(1), client(3)]);
    drop(scraper);
    assert_eq!(places.taken().connections.len(), 4);
}

#[tokio::test(start_paused = true)]
async fn busy_connections_keep_their_places() {
    let places = Arc::new(Places::new(3));
    let mut taken = full(&places, &[1, 1, 2]).await;
    for place in &taken[..2] {
        place.set_idle(false);
    }
    let scraper = take(&places, client(9), &mut taken).await;
    assert_eq!(clients(&taken), [client(1), client(1)]);
    scraper.set_idle(false);
    let waits = tokio::time::timeout(Duration::from_mins(1), places.take(client(4)));
    assert!(waits.await.is_err(), "all are busy");
}

#[tokio::test(start_paused = true)]
async fn busy_connection_stays_although_told_to_end() {
    let places = Arc::new(Places::new(1));
    let only = places.take(client(1)).await;
    tokio::time::advance(GRACE).await;
    let waits = tokio::time::timeout(Duration::from_millis(10), places.take(client(2)));
    assert!(waits.await.is_err());
    only.set_idle(false);
    assert!(tokio::time::timeout(Duration::from_mins(1), only.ended()).await.is_err());
    only.set_idle(true);
    tokio::time::advance(GRACE).await;
    let (taken, ()) = tokio::join!(places.take(client(2)), async {
        only.ended().await;
        drop(only);
    });
    drop(taken);
}

#[tokio::test(start_paused = true)]
async fn new_connection_has_time_to_send() {
    let places = Arc::new(Places::new(2));
    let mut crowd = full(&places, &[1, 1]).await;
    let began = Instant::now();
    let _next = take(&places, client(1), &mut crowd).await;
    assert!(began.elapsed() + Duration::from_millis(2) >= GRACE, "{:?}", began.elapsed());
}
