//! Receiver of Alertmanager's notifications, in place of a pager.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Instant;

use serde::Deserialize;

/// One alert in a message of Alertmanager.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Notification {
    /// Time of arrival.
    #[serde(skip, default = "Instant::now")]
    pub(crate) at: Instant,
    /// `firing` or `resolved`.
    status: String,
    pub(crate) labels: std::collections::BTreeMap<String, String>,
    pub(crate) annotations: std::collections::BTreeMap<String, String>,
}

impl Notification {
    pub(crate) fn is_resolved(&self) -> bool {
        self.status == "resolved"
    }
}

#[derive(Deserialize)]
struct Message {
    receiver: String,
    alerts: Vec<Notification>,
}

/// All notifications so far, each with the name of its receiver.
#[derive(Clone, Default)]
pub(crate) struct Receiver(Arc<Mutex<Vec<(String, Notification)>>>);

impl Receiver {
    /// Starts listening; returns the receiver and its port.
    pub(crate) fn start() -> (Self, u16) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let receiver = Receiver::default();
        let inbox = receiver.clone();
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                // Alertmanager retries interrupted requests.
                let _ = inbox.take(&stream);
            }
        });
        (receiver, port)
    }

    fn take(&self, mut stream: &TcpStream) -> std::io::Result<()> {
        let mut reader = BufReader::new(stream);
        let mut length = 0;
        loop {
            let mut line = String::new();
            reader.read_line(&mut line)?;
            if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap_or_default();
            }
            if line.trim().is_empty() {
                break;
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        let message: Message = serde_json::from_slice(&body)?;
        let mut notifications = self.0.lock().unwrap();
        notifications.extend(message.alerts.into_iter().map(|alert| (message.receiver.clone(), alert)));
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
    }

    /// Returns all notifications so far, each with the name of its receiver.
    pub(crate) fn notifications(&self) -> Vec<(String, Notification)> {
        self.0.lock().unwrap().clone()
    }
}
