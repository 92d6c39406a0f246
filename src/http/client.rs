//! The client of a connection, for limits on each client.

use std::net::{IpAddr, Ipv4Addr};

/// A client: an IPv4 address, a network of IPv6 addresses, or all users of a Unix socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Client {
    V4(Ipv4Addr),
    /// The first 64 bits, because a client usually has all addresses of such a network.
    V6(u64),
    Local,
}

impl From<IpAddr> for Client {
    fn from(address: IpAddr) -> Self {
        // A listener on [::] sees IPv4 clients as ::ffff:192.0.2.1.
        match address.to_canonical() {
            IpAddr::V4(address) => Self::V4(address),
            IpAddr::V6(address) => Self::V6((u128::from(address) >> 64) as u64),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(address: &str) -> Client {
        Client::from(address.parse::<IpAddr>().unwrap())
    }

    #[test]
    fn ipv6_addresses_of_one_network_are_one_client() {
        assert_eq!(client("2001:db8:0:1::1"), client("2001:db8:0:1:ffff::2"));
        assert_ne!(client("2001:db8:0:1::1"), client("2001:db8:0:2::1"));
        assert_ne!(client("192.0.2.1"), client("192.0.2.2"));
        assert_eq!(client("192.0.2.1"), client("::ffff:192.0.2.1"));
    }
}
