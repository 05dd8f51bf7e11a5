//! Which addresses a webhook may reach: a configured URL must not become a door into our own network (SSRF).
//!
//! The check sits in the resolver of the HTTP client: what it lets through is exactly what is then connected to, so a name
//! cannot point elsewhere between the look and the connection. One forbidden address among several refuses the name.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::error::{Error, ErrorKind, Result};

fn forbidden(host: &str) -> Error {
    Error::new(
        ErrorKind::Configuration,
        format!(
            "host={host} is at a private, local or reserved address; if that is meant, set alerts.allow_private_addresses"
        ),
    )
}

fn unknown(host: &str) -> Error {
    Error::new(
        ErrorKind::Unavailable,
        format!("host={host} has no address"),
    )
}

/// Resolves names by the system and refuses addresses that are not public.
#[derive(Clone, Copy, Debug)]
pub(super) struct Guard {
    pub(super) allow_private_addresses: bool,
}

impl Guard {
    /// Whether `address` may be connected to.
    pub(super) fn allows(self, address: IpAddr) -> bool {
        self.allow_private_addresses || is_public(address)
    }

    /// Whether the host of a URL may be connected to as far as it is an address and no name: those never reach a resolver.
    pub(super) fn check_literal(self, host: &str) -> Result<()> {
        let literal = host.trim_start_matches('[').trim_end_matches(']');
        match literal.parse::<IpAddr>() {
            Ok(address) if !self.allows(address) => Err(forbidden(host)),
            _ => Ok(()),
        }
    }

    fn check(self, host: &str, found: Vec<SocketAddr>) -> Result<Vec<SocketAddr>> {
        if found.is_empty() {
            return Err(unknown(host));
        }
        if found.iter().all(|address| self.allows(address.ip())) {
            Ok(found)
        } else {
            Err(forbidden(host))
        }
    }
}

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = *self;
        Box::pin(async move {
            let host = name.as_str().to_owned();
            // getaddrinfo blocks; port 0 is replaced by the client.
            let found = tokio::task::spawn_blocking({
                let host = host.clone();
                move || (host.as_str(), 0).to_socket_addrs().map(Vec::from_iter)
            })
            .await??;
            let allowed: Addrs = Box::new(guard.check(&host, found)?.into_iter());
            Ok(allowed)
        })
    }
}

/// Whether an address is one of the open internet. What cannot be classified is not.
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let reserved = a == 0
        || a >= 240
        || (a == 100 && (64..128).contains(&b)) // carrier-grade NAT
        || (a == 192 && b == 0 && c == 0) // protocol assignments
        || (a == 192 && b == 88 && c == 99) // 6to4 relays
        || (a == 198 && (b == 18 || b == 19)); // benchmarking
    !(reserved
        || address.is_loopback()
        || address.is_private()
        || address.is_link_local()
        || address.is_documentation()
        || address.is_multicast())
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let segments = address.segments();
    // Global unicast is 2000::/3; loopback, unique local, link-local, mapped and multicast lie outside of it.
    let global = segments[0] & 0xe000 == 0x2000;
    let documentation = (segments[0] == 0x2001 && segments[1] == 0x0db8) || segments[0] == 0x3fff;
    let special = segments[0] == 0x2001 && segments[1] < 0x0200; // Teredo, ORCHID and others
    let wraps_v4 = segments[0] == 0x2002; // 6to4
    global && !documentation && !special && !wraps_v4
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    const STRICT: Guard = Guard {
        allow_private_addresses: false,
    };
    const OPEN: Guard = Guard {
        allow_private_addresses: true,
    };

    #[test]
    fn only_the_open_internet_is_public() {
        for public in [
            "1.1.1.1",
            "100.63.0.1",
            "172.32.0.1",
            "198.20.0.1",
            "2606:4700::1111",
        ] {
            assert!(STRICT.allows(public.parse().unwrap()), "{public}");
        }
        for closed in [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "127.0.0.1",
            "127.255.0.1",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "192.0.0.8",
            "192.0.2.1",
            "198.18.0.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::127.0.0.1",
            "64:ff9b::7f00:1",
            "2001:db8::1",
            "2001::1",
            "2002:7f00:1::",
            "fc00::1",
            "fd12::1",
            "fe80::1",
            "ff02::1",
        ] {
            assert!(!STRICT.allows(closed.parse().unwrap()), "{closed}");
            assert!(OPEN.allows(closed.parse().unwrap()), "{closed}");
        }
    }

    #[test]
    fn one_private_address_among_several_refuses_the_name() {
        let mixed: Vec<SocketAddr> = ["1.1.1.1:0", "10.0.0.1:0"]
            .iter()
            .map(|address| address.parse().unwrap())
            .collect();
        let refused = STRICT.check("hook.example", mixed.clone()).unwrap_err();
        assert!(refused.to_string().contains("host=hook.example"));
        assert_eq!(OPEN.check("hook.example", mixed.clone()).unwrap(), mixed);
        assert_eq!(STRICT.check("h", mixed[..1].to_vec()).unwrap(), mixed[..1]);
        assert!(OPEN.check("h", Vec::new()).is_err());
    }

    #[test]
    fn addresses_written_in_the_url_are_checked_too() {
        for closed in ["127.0.0.1", "[::1]", "[::ffff:192.168.0.1]"] {
            assert!(STRICT.check_literal(closed).is_err(), "{closed}");
            assert!(OPEN.check_literal(closed).is_ok());
        }
        assert!(STRICT.check_literal("hook.example").is_ok());
        assert!(STRICT.check_literal("[2606:4700::1111]").is_ok());
    }

    #[tokio::test]
    async fn a_name_that_resolves_to_this_machine_is_refused() {
        let name: Name = "localhost".parse().unwrap();
        let refused = STRICT.resolve(name).await.err().unwrap();
        assert!(
            refused.to_string().contains("allow_private_addresses"),
            "{refused}"
        );
    }
}
