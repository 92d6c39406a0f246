//! Listening sockets: TCP addresses, Unix sockets, and sockets that systemd has opened.
//!
//! Input: a [`ListenAddress`]. Output: a [`Listener`], which accepts connections for [`super::serve`].

use std::fmt;
use std::fs::{self, Permissions};
use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use listenfd::ListenFd;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpSocket, UnixListener, UnixSocket};

use crate::http::client::Client;
use crate::http::listen_address::ListenAddress;

/// Most connections in the kernel's queue, unless the system's limit is lower. The usual 128 would reject most of a
/// thousand scrapers that connect at once.
const BACKLOG: u32 = 1024;

/// Size of the kernel's send buffer, which the kernel doubles. The default grows to megabytes for a client that does not
/// read, and counts as the container's memory.
const SEND_BUFFER: u32 = 64 * 1024;

/// Permissions of a Unix socket: the process's user and group may connect.
const SOCKET_MODE: u32 = 0o660;

/// Why an address or a socket cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    #[error("cannot listen on {address}: {reason}; give another address with --{setting}")]
    Address {
        address: ListenAddress,
        setting: &'static str,
        /// Not an error source, because anyhow would print it a second time.
        reason: io::Error,
    },
    #[error(
        "--web.systemd-socket is set, and systemd has passed no socket; start the service by its .socket unit, or leave \
         the flag out"
    )]
    NoSystemdSocket,
    #[error("the socket that systemd has passed cannot be used: {0}")]
    SystemdSocket(io::Error),
}

/// A stream of bytes from and to a client.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// A socket that accepts connections.
#[derive(Debug)]
pub struct Listener {
    socket: Socket,
    /// The file of a Unix socket, unless systemd made it.
    _file: Option<SocketFile>,
    /// The form for logs.
    address: String,
    /// Whether it is a TCP socket that only clients on this machine can reach.
    pub(super) is_loopback: bool,
}

#[derive(Debug)]
enum Socket {
    Tcp(TcpListener),
    Unix(UnixListener),
}

/// The file of a Unix socket. Dropping it removes the file.
#[derive(Debug)]
struct SocketFile {
    path: PathBuf,
    device_and_inode: (u64, u64),
}

impl Listener {
    /// Binds an address. Call it within the runtime that serves it. `setting` is the flag for the error message.
    pub fn bind(address: &ListenAddress, setting: &'static str) -> Result<Self, ListenError> {
        let listener = match address {
            ListenAddress::Tcp(address) => bind_tcp(*address).and_then(Self::tcp),
            ListenAddress::Unix(path) => bind_unix(path),
        };
        listener.map_err(|reason| ListenError::Address { address: address.clone(), setting, reason })
    }

    /// Takes over all sockets that systemd has opened for this process.
    pub fn from_systemd() -> Result<Vec<Self>, ListenError> {
        let mut passed = ListenFd::from_env();
        if passed.len() == 0 {
            return Err(ListenError::NoSystemdSocket);
        }
        let listeners = (0..passed.len()).map(|index| take(&mut passed, index));
        listeners.collect::<io::Result<_>>().map_err(ListenError::SystemdSocket)
    }

    fn tcp(listener: TcpListener) -> io::Result<Self> {
        let address = listener.local_addr()?;
        let is_loopback = address.ip().to_canonical().is_loopback();
        Ok(Listener { socket: Socket::Tcp(listener), _file: None, address: address.to_string(), is_loopback })
    }

    fn unix(listener: UnixListener, file: Option<SocketFile>) -> io::Result<Self> {
        let path = listener.local_addr()?;
        let path = path.as_pathname().map(|path| path.display().to_string());
        let address = format!("unix:{}", path.unwrap_or_default());
        Ok(Listener { socket: Socket::Unix(listener), _file: file, address, is_loopback: false })
    }

    /// Waits for the next connection.
    pub(super) async fn accept(&self) -> io::Result<(Box<dyn Stream>, Client)> {
        match &self.socket {
            Socket::Tcp(listener) => {
                let (stream, from) = listener.accept().await?;
                // A response is written in one piece, so waiting for a full packet would only delay it. The call fails
                // only if the connection has ended.
                let _ = stream.set_nodelay(true);
                Ok((Box::new(stream), Client::from(from.ip())))
            }
            Socket::Unix(listener) => {
                let (stream, _) = listener.accept().await?;
                Ok((Box::new(stream), Client::Local))
            }
        }
    }

    /// Returns the URL of a path, for the log.
    pub(crate) fn url(&self, scheme: &str, path: &str) -> String {
        match self.socket {
            Socket::Tcp(_) => format!("{scheme}://{}{path}", self.address),
            Socket::Unix(_) => format!("{} {path}", self.address),
        }
    }
}

impl fmt::Display for Listener {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.address)
    }
}

/// Binds a TCP address. `[::]` becomes `0.0.0.0` on hosts without IPv6, because `:10187` means all interfaces.
fn bind_tcp(address: SocketAddr) -> io::Result<TcpListener> {
    match bind_to(address) {
        Err(error) if address.ip() == Ipv6Addr::UNSPECIFIED && error.kind() != ErrorKind::AddrInUse => {
            bind_to((Ipv4Addr::UNSPECIFIED, address.port()).into()).map_err(|_| error)
        }
        bound => bound,
    }
}

fn bind_to(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // Without it, a restart fails while connections of the previous process are ending.
    socket.set_reuseaddr(true)?;
    // Accepted connections inherit it.
    socket.set_send_buffer_size(SEND_BUFFER)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Binds a socket file. Replaces a file that a process has left behind when it ended.
fn bind_unix(path: &Path) -> io::Result<Listener> {
    if let Ok(found) = fs::symlink_metadata(path) {
        if !found.file_type().is_socket() {
            return Err(io::Error::new(ErrorKind::AlreadyExists, "the path is a file that is not a socket"));
        }
        match std::os::unix::net::UnixStream::connect(path) {
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => fs::remove_file(path)?,
            Err(error) => return Err(error),
            Ok(_) => return Err(io::Error::new(ErrorKind::AddrInUse, "another process listens there")),
        }
    }
    let socket = UnixSocket::new_stream()?;
    socket.bind(path)?;
    let bound = fs::symlink_metadata(path)?;
    let file = SocketFile { path: path.to_owned(), device_and_inode: (bound.dev(), bound.ino()) };
    // Clients cannot connect before the socket listens, so set the permissions first.
    fs::set_permissions(path, Permissions::from_mode(SOCKET_MODE))?;
    Listener::unix(socket.listen(BACKLOG)?, Some(file))
}

/// Takes over a socket of systemd.
fn take(passed: &mut ListenFd, index: usize) -> io::Result<Listener> {
    if let Ok(Some(listener)) = passed.take_tcp_listener(index) {
        listener.set_nonblocking(true)?;
        return Listener::tcp(TcpListener::from_std(listener)?);
    }
    let listener = passed.take_unix_listener(index)?.ok_or(ErrorKind::NotFound)?;
    listener.set_nonblocking(true)?;
    Listener::unix(UnixListener::from_std(listener)?, None)
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let found = fs::symlink_metadata(&self.path);
        // Another process may have replaced the file with its own socket.
        if found.is_ok_and(|found| (found.dev(), found.ino()) == self.device_and_inode) {
            let _ = fs::remove_file(&self.path);
        }
    }
}
