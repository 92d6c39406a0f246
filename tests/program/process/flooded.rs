//! A database server that floods the connection with messages.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::time::{Duration, Instant};

use crate::support::process::Process;
use crate::support::scrape::get;

/// Returns a notice of the server: severity, code and text.
fn notice() -> Vec<u8> {
    let fields = b"SNOTICE\0VNOTICE\0C00000\0Mflood\0\0";
    let length = u32::try_from(fields.len() + 4).unwrap();
    [b"N".as_slice(), &length.to_be_bytes(), fields].concat()
}

/// Accepts connections, and sends notices to each for as long as it is read.
fn flood(listener: &TcpListener) {
    let notices = notice().repeat(1000);
    std::thread::scope(|scope| {
        for stream in listener.incoming() {
            let (Ok(mut stream), notices) = (stream, &notices) else { return };
            scope.spawn(move || {
                let mut request = [0; 1024];
                let read = stream.read(&mut request).unwrap_or_default();
                // After a request for TLS is refused, the client sends its startup message.
                if read == 8 {
                    let _ = stream.write_all(b"N");
                    let _ = stream.read(&mut request);
                }
                while stream.write_all(notices).is_ok() {}
            });
        }
    });
}

#[test]
fn requests_are_answered_while_a_server_floods_the_lanes() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("postgres://marie@{}/marie", listener.local_addr().unwrap());
    std::thread::spawn(move || flood(&listener));
    let process = Process::serve(&url, &[]);
    let end = Instant::now() + Duration::from_secs(8);
    let mut slowest = Duration::ZERO;
    while Instant::now() < end {
        for path in ["/metrics", "/-/healthy", "/"] {
            let began = Instant::now();
            assert_eq!(get(&format!("{}{path}", process.address())).status, 200, "{path}");
            slowest = slowest.max(began.elapsed());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    eprintln!("slowest answer {slowest:?}");
    assert!(slowest < Duration::from_secs(3), "{slowest:?}");
    assert!(get(&format!("{}/metrics", process.address())).text().contains("\nmarie_up 0\n"));
}
