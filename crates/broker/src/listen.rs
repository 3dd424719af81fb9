//! Listeners: `[NAME=]ADDRESS[@ADVERTISED]`, from text to a bound socket.
//!
//! The address is where the broker listens, the advertised one is what it tells clients to connect to: behind a
//! wildcard, a container or a forwarded port, the two differ.

use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener};

/// The syntax of a listener, for messages.
pub(crate) const SYNTAX: &str = "[NAME=]HOST:PORT[@HOST[:PORT]]";

/// A listener as it was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Listen {
    /// Letters, digits, `-` and `_`; the listener without a name is its protocol's main one.
    pub(crate) name: Option<String>,
    /// Host and port to listen on; port 0 lets the system choose.
    pub(crate) address: HostPort,
    /// What clients are told; the port is the listener's own when it is left out.
    pub(crate) advertised: Option<Advertised>,
}

/// A host (name, IPv4 or IPv6 address without brackets) and a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HostPort {
    /// A name or an address.
    pub(crate) host: String,
    /// A TCP port; 0 lets the system choose.
    pub(crate) port: u16,
}

/// The address that clients are told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Advertised {
    /// A name or an address.
    pub(crate) host: String,
    /// The port, when it differs from the listener's own.
    pub(crate) port: Option<u16>,
}

/// A text that is no listener.
#[derive(Debug, thiserror::Error)]
#[error("{text:?} is no listener ({reason}); allowed is {SYNTAX}, an IPv6 address in brackets")]
pub(crate) struct SyntaxError {
    text: String,
    reason: &'static str,
}

/// A listener that could not be bound.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}: {source}{}", remedy(source))]
pub(crate) struct BindError {
    address: HostPort,
    source: io::Error,
}

/// A listener that listens.
#[derive(Debug)]
pub(crate) struct Bound {
    /// What was asked for.
    pub(crate) listen: Listen,
    /// The address it has, with the real port.
    pub(crate) local: SocketAddr,
}

impl Listen {
    /// Reads `[NAME=]HOST:PORT[@HOST[:PORT]]`.
    ///
    /// # Errors
    /// The text has another form; the message says which part.
    pub(crate) fn parse(text: &str) -> Result<Listen, SyntaxError> {
        let refuse = |reason| SyntaxError {
            text: text.to_owned(),
            reason,
        };
        let (listen, advertised) = match text.split_once('@') {
            Some((listen, advertised)) => (listen, Some(advertised)),
            None => (text, None),
        };
        let (name, address) = match listen.split_once('=') {
            Some((name, address)) => (Some(name), address),
            None => (None, listen),
        };
        let (host, port) = host_and_port(address).map_err(refuse)?;
        let port = port.ok_or_else(|| refuse("the port is missing"))?;
        Ok(Listen {
            name: name.map(name_of).transpose().map_err(refuse)?,
            address: HostPort { host, port },
            advertised: advertised.map(advertised_of).transpose().map_err(refuse)?,
        })
    }

    /// Whether it listens on every address of the machine and does not say which one clients shall use.
    pub(crate) fn is_silent_wildcard(&self) -> bool {
        let wildcard = matches!(self.address.host.as_str(), "0.0.0.0" | "::");
        wildcard && self.advertised.is_none()
    }

    /// Opens the socket.
    ///
    /// # Errors
    /// The name is unknown, the address is not of this machine or in use, or the port needs a privilege.
    pub(crate) fn bind(self) -> Result<(Bound, TcpListener), BindError> {
        let HostPort { host, port } = &self.address;
        let refuse = |source| BindError {
            address: self.address.clone(),
            source,
        };
        let socket = TcpListener::bind((host.as_str(), *port)).map_err(refuse)?;
        let local = socket.local_addr().map_err(refuse)?;
        Ok((
            Bound {
                listen: self,
                local,
            },
            socket,
        ))
    }
}

impl Bound {
    /// What a client that came by the address `reached` is told to connect to.
    pub(crate) fn told(&self, reached: SocketAddr) -> HostPort {
        let port = self.local.port();
        match &self.listen.advertised {
            Some(Advertised {
                host,
                port: advertised,
            }) => HostPort {
                host: host.clone(),
                port: advertised.unwrap_or(port),
            },
            None if self.listen.is_silent_wildcard() => HostPort {
                host: reached.ip().to_canonical().to_string(),
                port,
            },
            None => HostPort {
                host: self.listen.address.host.clone(),
                port,
            },
        }
    }

    /// Its name for the log and for the line on standard output: `kafka`, or `kafka.NAME`.
    pub(crate) fn label(&self, protocol: &str) -> String {
        match &self.listen.name {
            None => protocol.to_owned(),
            Some(name) => format!("{protocol}.{name}"),
        }
    }
}

/// The first name that two listeners share; capitals do not tell names apart.
pub(crate) fn same_name(listeners: &[Listen]) -> Option<&str> {
    let names = || listeners.iter().filter_map(|listen| listen.name.as_deref());
    let twice = |(index, name): (usize, &str)| {
        names()
            .take(index)
            .any(|other| other.eq_ignore_ascii_case(name))
    };
    names()
        .enumerate()
        .find(|&found| twice(found))
        .map(|(_, name)| name)
}

fn name_of(name: &str) -> Result<String, &'static str> {
    let fits = |character: char| character.is_ascii_alphanumeric() || "-_".contains(character);
    if name.is_empty() || !name.chars().all(fits) {
        return Err("a name has letters, digits, - and _");
    }
    Ok(name.to_owned())
}

fn advertised_of(text: &str) -> Result<Advertised, &'static str> {
    let (host, port) = host_and_port(text)?;
    match (host.as_str(), port) {
        (_, Some(0)) => Err("clients cannot connect to port 0"),
        ("0.0.0.0" | "::", _) => Err("clients cannot connect to a wildcard"),
        _ => Ok(Advertised { host, port }),
    }
}

/// Host and port of `host:port`, `[v6]:port`, `host` or `[v6]`.
fn host_and_port(text: &str) -> Result<(String, Option<u16>), &'static str> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => bracketed(rest)?,
        None => match text.split_once(':') {
            Some((_, port)) if port.contains(':') => return Err("an IPv6 address wants brackets"),
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    if host.is_empty() || host.contains(char::is_whitespace) {
        return Err("the host is missing");
    }
    let port = port.map(|port| {
        port.parse()
            .map_err(|_| "a port is a number from 0 to 65535")
    });
    Ok((host.to_owned(), port.transpose()?))
}

/// The address and the port of what follows the first bracket.
fn bracketed(rest: &str) -> Result<(&str, Option<&str>), &'static str> {
    let (address, after) = rest
        .split_once(']')
        .ok_or("the closing bracket is missing")?;
    if address.parse::<std::net::Ipv6Addr>().is_err() {
        return Err("only an IPv6 address has brackets");
    }
    match after.strip_prefix(':') {
        Some(port) => Ok((address, Some(port))),
        None if after.is_empty() => Ok((address, None)),
        None => Err("after the bracket comes the port"),
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.contains(':') {
            true => write!(formatter, "[{}]:{}", self.host, self.port),
            false => write!(formatter, "{}:{}", self.host, self.port),
        }
    }
}

/// What to do about the usual reasons.
fn remedy(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::AddrInUse => "; another process has this port, choose another one or port 0",
        io::ErrorKind::PermissionDenied => {
            "; ports below 1024 need a privilege, choose a higher one"
        }
        io::ErrorKind::AddrNotAvailable => "; this machine does not have that address",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::{Advertised, HostPort, Listen, same_name};

    fn listen(
        name: Option<&str>,
        host: &str,
        port: u16,
        advertised: Option<(&str, Option<u16>)>,
    ) -> Listen {
        Listen {
            name: name.map(str::to_owned),
            address: HostPort {
                host: host.to_owned(),
                port,
            },
            advertised: advertised.map(|(host, port)| Advertised {
                host: host.to_owned(),
                port,
            }),
        }
    }

    #[test]
    fn every_form() {
        let check = |text: &str, expected: Listen| {
            assert_eq!(Listen::parse(text).unwrap(), expected, "{text}")
        };
        check("127.0.0.1:9092", listen(None, "127.0.0.1", 9092, None));
        check("localhost:0", listen(None, "localhost", 0, None));
        check("[::1]:9092", listen(None, "::1", 9092, None));
        check(
            "0.0.0.0:1@broker.lan",
            listen(None, "0.0.0.0", 1, Some(("broker.lan", None))),
        );
        check(
            "OUT=[::]:1@broker.lan:2",
            listen(Some("OUT"), "::", 1, Some(("broker.lan", Some(2)))),
        );
        check(
            "a-b_1=h:1@[fe80::1]",
            listen(Some("a-b_1"), "h", 1, Some(("fe80::1", None))),
        );
        check("h:1@[::1]:5", listen(None, "h", 1, Some(("::1", Some(5)))));
    }

    #[test]
    fn what_is_no_listener_says_why() {
        let check = |text: &str, reason: &str| {
            let error = Listen::parse(text).unwrap_err().to_string();
            assert!(
                error.contains(reason) && error.contains(&format!("{text:?}")),
                "{error}"
            );
        };
        check("", "the host is missing");
        check(":9092", "the host is missing");
        check("localhost", "the port is missing");
        check("::1:9092", "wants brackets");
        check("[::1:9092", "closing bracket");
        check("[::1]9092", "after the bracket");
        check("[host]:9092", "only an IPv6 address");
        check("h:65536", "a port is a number");
        check("h:-1", "a port is a number");
        check("=h:1", "a name has letters");
        check("a b=h:1", "a name has letters");
        check("h:1@", "the host is missing");
        check("h:1@x:0", "port 0");
        check("h:1@0.0.0.0", "wildcard");
    }

    #[test]
    fn names_differ_by_more_than_capitals() {
        let named = |names: &[Option<&str>]| {
            names
                .iter()
                .map(|name| listen(*name, "h", 1, None))
                .collect::<Vec<_>>()
        };
        assert_eq!(same_name(&named(&[None, Some("a"), Some("b"), None])), None);
        assert_eq!(
            same_name(&named(&[Some("a"), Some("b"), Some("A")])),
            Some("A")
        );
    }

    #[test]
    fn a_wildcard_without_an_advertised_address_is_known() {
        let silent = |text: &str| Listen::parse(text).unwrap().is_silent_wildcard();
        assert!(silent("0.0.0.0:1") && silent("[::]:1"));
        assert!(!silent("0.0.0.0:1@h") && !silent("127.0.0.1:1"));
    }

    #[test]
    fn clients_are_told_what_they_can_reach() {
        let reached = "127.0.0.9:1".parse().unwrap();
        let told = |text: &str| {
            let (bound, _socket) = Listen::parse(text).unwrap().bind().unwrap();
            let HostPort { host, port } = bound.told(reached);
            (host, port == bound.local.port())
        };
        assert_eq!(told("127.0.0.1:0"), ("127.0.0.1".to_owned(), true));
        assert_eq!(told("localhost:0"), ("localhost".to_owned(), true));
        assert_eq!(told("0.0.0.0:0"), ("127.0.0.9".to_owned(), true));
        assert_eq!(told("0.0.0.0:0@b.example"), ("b.example".to_owned(), true));
        assert_eq!(
            told("0.0.0.0:0@b.example:7"),
            ("b.example".to_owned(), false)
        );
    }

    #[test]
    fn port_zero_becomes_a_real_port_that_is_then_in_use() {
        let (bound, _socket) = Listen::parse("127.0.0.1:0").unwrap().bind().unwrap();
        assert_ne!(bound.local.port(), 0);
        let again = Listen::parse(&bound.local.to_string())
            .unwrap()
            .bind()
            .unwrap_err()
            .to_string();
        assert!(again.contains("another process has this port"), "{again}");
    }
}
