//! A network between a client and the database that can stop passing on what is sent, without closing a connection.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

pub(crate) struct Proxy {
    is_closed: Arc<AtomicBool>,
    /// The database's URL through the proxy.
    pub(crate) url: String,
}

impl Proxy {
    /// A proxy to the server of this URL that passes everything on.
    pub(crate) fn to(url: &str) -> Self {
        let (server, _) = url.split_once('@').unwrap().1.split_once('/').unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let is_closed = Arc::new(AtomicBool::new(false));
        let through = url.replace(server, &listener.local_addr().unwrap().to_string());
        forward(listener, server.to_owned(), &is_closed);
        Proxy { is_closed, url: through }
    }

    /// Passes nothing on from now on; connections stay open.
    pub(crate) fn close(&self) {
        self.is_closed.store(true, Ordering::Relaxed);
    }

    /// Passes on what has been sent meanwhile, and what is sent later.
    pub(crate) fn open(&self) {
        self.is_closed.store(false, Ordering::Relaxed);
    }
}

fn forward(proxy: TcpListener, server: String, is_closed: &Arc<AtomicBool>) {
    let is_closed = Arc::clone(is_closed);
    thread::spawn(move || {
        for client in proxy.incoming().map_while(Result::ok) {
            let Ok(server) = TcpStream::connect(&server) else { continue };
            for (from, to) in [(&client, &server), (&server, &client)] {
                let (from, to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
                let is_closed = Arc::clone(&is_closed);
                thread::spawn(move || copy(from, to, &is_closed));
            }
        }
    });
}

fn copy(mut from: TcpStream, mut to: TcpStream, is_closed: &AtomicBool) {
    from.set_read_timeout(Some(Duration::from_millis(10))).unwrap();
    let mut bytes = [0; 8192];
    loop {
        let read = match from.read(&mut bytes) {
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => continue,
            Ok(0) | Err(_) => break,
            Ok(read) => read,
        };
        while is_closed.load(Ordering::Relaxed) {
            thread::sleep(Duration::from_millis(10));
        }
        if to.write_all(&bytes[..read]).is_err() {
            break;
        }
    }
    // Each may have been closed from the other side.
    let _ = to.shutdown(std::net::Shutdown::Both);
    let _ = from.shutdown(std::net::Shutdown::Both);
}
