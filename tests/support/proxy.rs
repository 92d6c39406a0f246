//! Proxy to the database that can stop forwarding without closing its connections.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

pub(crate) struct Proxy {
    is_paused: Arc<AtomicBool>,
    /// URL of the database through the proxy.
    pub(crate) url: String,
}

impl Proxy {
    /// Starts a proxy to the server of this URL.
    pub(crate) fn start(url: &str) -> Self {
        let (server, _) = url.split_once('@').unwrap().1.split_once('/').unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let is_paused = Arc::new(AtomicBool::new(false));
        let through = url.replace(server, &listener.local_addr().unwrap().to_string());
        forward(listener, server.to_owned(), &is_paused);
        Proxy { is_paused, url: through }
    }

    /// Stops forwarding; connections stay open.
    pub(crate) fn pause(&self) {
        self.is_paused.store(true, Ordering::Relaxed);
    }

    /// Forwards what has been sent meanwhile, and what is sent later.
    pub(crate) fn resume(&self) {
        self.is_paused.store(false, Ordering::Relaxed);
    }
}

fn forward(proxy: TcpListener, server: String, is_paused: &Arc<AtomicBool>) {
    let is_paused = Arc::clone(is_paused);
    thread::spawn(move || {
        for client in proxy.incoming().map_while(Result::ok) {
            let Ok(server) = TcpStream::connect(&server) else { continue };
            for (from, to) in [(&client, &server), (&server, &client)] {
                let (from, to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
                let is_paused = Arc::clone(&is_paused);
                thread::spawn(move || copy(from, to, &is_paused));
            }
        }
    });
}

fn copy(mut from: TcpStream, mut to: TcpStream, is_paused: &AtomicBool) {
    from.set_read_timeout(Some(Duration::from_millis(10))).unwrap();
    let mut bytes = [0; 8192];
    loop {
        let read = match from.read(&mut bytes) {
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => continue,
            Ok(0) | Err(_) => break,
            Ok(read) => read,
        };
        while is_paused.load(Ordering::Relaxed) {
            thread::sleep(Duration::from_millis(10));
        }
        if to.write_all(&bytes[..read]).is_err() {
            break;
        }
    }
    // The other side may have closed either of them.
    let _ = to.shutdown(std::net::Shutdown::Both);
    let _ = from.shutdown(std::net::Shutdown::Both);
}
