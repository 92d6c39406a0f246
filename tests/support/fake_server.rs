//! Fake PostgreSQL server that accepts every login and then sends messages that no PostgreSQL sends, and a proxy that
//! changes some bytes of a real server.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// Which message the server sends, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Harm {
    /// At the end of the login, the header of a message of this length.
    LengthAtLogin(u32),
    /// Instead of an answer, the header of a message of this length.
    LengthInAnswer(u32),
    /// Instead of an answer, a message of this length.
    Stream(u32),
    /// At the login, endless settings with different names.
    ParameterFlood,
    /// At the login, endless notices.
    NoticeFlood,
    /// Instead of an answer, endless notices.
    NoticeFloodInAnswer,
    /// A message of an undefined type.
    UnknownType,
    /// Meaningless bytes before the login.
    Garbage,
    /// An error whose text has a megabyte and is not UTF-8.
    LongError,
    /// A row before its description.
    RowAtOnce,
    /// A row description that declares more columns than it contains.
    TooManyColumns,
    /// The end of the connection in the middle of a message.
    HalfMessage,
    /// An authentication method that the driver does not know.
    UnknownLogin,
    /// A malformed password challenge.
    BrokenChallenge,
}

pub(crate) struct FakeServer {
    pub(crate) port: u16,
    harmed: Arc<AtomicUsize>,
}

impl FakeServer {
    pub(crate) fn start(harm: Harm) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let harmed = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&harmed);
        // The thread ends with the test's process.
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let count = Arc::clone(&count);
                // The client may disconnect at any time.
                thread::spawn(move || drop(serve(client, harm, &count)));
            }
        });
        FakeServer { port, harmed }
    }

    /// Returns how many connections have received the harmful message.
    pub(crate) fn harmed(&self) -> usize {
        self.harmed.load(Ordering::Relaxed)
    }
}

fn message(kind: u8, content: &[u8]) -> Vec<u8> {
    let length = u32::try_from(content.len() + 4).unwrap();
    [&[kind][..], &length.to_be_bytes(), content].concat()
}

fn notice(text: &str) -> Vec<u8> {
    message(b'N', format!("SWARNING\0VWARNING\0C01000\0M{text}\0\0").as_bytes())
}

/// Reads the client's first message and refuses TLS.
fn read_startup(client: &mut TcpStream) -> io::Result<()> {
    loop {
        let mut length = [0; 4];
        client.read_exact(&mut length)?;
        let mut rest = vec![0; (u32::from_be_bytes(length) as usize).saturating_sub(4)];
        client.read_exact(&mut rest)?;
        // A request for TLS has this special version.
        if rest.starts_with(&80_877_103_u32.to_be_bytes()) {
            client.write_all(b"N")?;
        } else {
            return Ok(());
        }
    }
}

fn serve(mut client: TcpStream, harm: Harm, harmed: &AtomicUsize) -> io::Result<()> {
    read_startup(&mut client)?;
    let welcome = message(b'R', &0_u32.to_be_bytes());
    let ready = message(b'Z', b"I");
    let header = |kind: u8, length: u32| [&[kind][..], &length.to_be_bytes()].concat();
    let begin = |count: &AtomicUsize| count.fetch_add(1, Ordering::Relaxed);
    match harm {
        Harm::Garbage => {
            begin(harmed);
            client.write_all(&[0xff; 4096])?;
        }
        Harm::UnknownLogin => {
            begin(harmed);
            client.write_all(&message(b'R', &99_u32.to_be_bytes()))?;
        }
        Harm::BrokenChallenge => {
            begin(harmed);
            client.write_all(&message(b'R', b"\0\0\0\x0aSCRAM-SHA-256"))?;
        }
        Harm::LengthAtLogin(length) => {
            begin(harmed);
            client.write_all(&welcome)?;
            client.write_all(&header(b'S', length))?;
        }
        Harm::ParameterFlood => {
            begin(harmed);
            client.write_all(&welcome)?;
            for number in 0_u64.. {
                let content = format!("name{number}\0{}\0", "v".repeat(1000));
                client.write_all(&message(b'S', content.as_bytes()))?;
            }
        }
        Harm::NoticeFlood => {
            begin(harmed);
            client.write_all(&welcome)?;
            flood(&mut client)?;
        }
        _ => {
            client.write_all(&[welcome, ready].concat())?;
            // Wait for the first statement.
            client.read_exact(&mut [0; 5])?;
            begin(harmed);
            answer(&mut client, harm)?;
        }
    }
    // Keep the connection open until the client closes it.
    io::copy(&mut client, &mut io::sink())?;
    Ok(())
}

fn answer(client: &mut TcpStream, harm: Harm) -> io::Result<()> {
    let header = |kind: u8, length: u32| [&[kind][..], &length.to_be_bytes()].concat();
    match harm {
        Harm::LengthInAnswer(length) => client.write_all(&header(b'D', length)),
        Harm::Stream(length) => {
            client.write_all(&header(b'D', length))?;
            let chunk = vec![b'x'; 1 << 20];
            for _ in 0..length >> 20 {
                client.write_all(&chunk)?;
            }
            Ok(())
        }
        Harm::NoticeFloodInAnswer => flood(client),
        Harm::UnknownType => client.write_all(&message(0xfe, b"what is this?")),
        Harm::LongError => {
            let text =
                [b"SERROR\0VERROR\0CXX000\0M\xff\xfe".to_vec(), vec![b'x'; 1 << 20], vec![0, 0]].concat();
            client.write_all(&message(b'E', &text))
        }
        Harm::RowAtOnce => client.write_all(&message(b'D', b"\0\x05\0\0\0\x7fx")),
        Harm::TooManyColumns => client.write_all(&message(b'T', b"\x7f\xffname\0")),
        Harm::HalfMessage => {
            client.write_all(&header(b'T', 1000))?;
            client.shutdown(std::net::Shutdown::Both)
        }
        _ => Ok(()),
    }
}

fn flood(client: &mut TcpStream) -> io::Result<()> {
    let notices = notice(&"n".repeat(1000)).repeat(100);
    loop {
        client.write_all(&notices)?;
    }
}

/// Starts a proxy to a real server that changes about one in `rarity` bytes from the server; returns its port.
pub(crate) fn garbling_proxy(server: u16, rarity: u32) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            let server = TcpStream::connect(("127.0.0.1", server)).unwrap();
            let (mut from_client, mut to_server) = (client.try_clone().unwrap(), server.try_clone().unwrap());
            thread::spawn(move || {
                let _ = io::copy(&mut from_client, &mut to_server);
                let _ = to_server.shutdown(std::net::Shutdown::Both);
            });
            thread::spawn(move || drop(garble(server, client, rarity)));
        }
    });
    port
}

fn garble(mut server: TcpStream, mut client: TcpStream, rarity: u32) -> io::Result<()> {
    let mut bytes = vec![0; 65_536];
    loop {
        let read = server.read(&mut bytes)?;
        if read == 0 {
            return client.shutdown(std::net::Shutdown::Both);
        }
        for byte in &mut bytes[..read] {
            if rand::random_ratio(1, rarity) {
                *byte = rand::random();
            }
        }
        client.write_all(&bytes[..read])?;
    }
}
