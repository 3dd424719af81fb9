//! What a descriptor is: what one kind refuses, another may do.

use std::os::fd::BorrowedFd;

use rustix::fs::FileType;
use rustix::net::{AddressFamily, sockopt};

/// The kinds of descriptors for which refusals are remembered apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A regular file.
    File,
    /// A pipe or a FIFO.
    Pipe,
    /// A socket of the internet families.
    Socket,
    /// A socket of the machine's own (`AF_UNIX`).
    Local,
    /// Terminals, devices, what the kernel may bring.
    Other,
}

impl Kind {
    /// All of them.
    pub const ALL: [Kind; 5] = [
        Kind::File,
        Kind::Pipe,
        Kind::Socket,
        Kind::Local,
        Kind::Other,
    ];

    /// `fstat`, and for a socket `getsockopt(SO_DOMAIN)`; what cannot be asked is [`Kind::Other`].
    pub fn of(descriptor: BorrowedFd<'_>) -> Kind {
        let Ok(status) = rustix::fs::fstat(descriptor) else {
            return Kind::Other;
        };
        match FileType::from_raw_mode(status.st_mode) {
            FileType::RegularFile => Kind::File,
            FileType::Fifo => Kind::Pipe,
            FileType::Socket => match sockopt::socket_domain(descriptor) {
                Ok(AddressFamily::INET | AddressFamily::INET6) => Kind::Socket,
                Ok(AddressFamily::UNIX) => Kind::Local,
                _ => Kind::Other,
            },
            _ => Kind::Other,
        }
    }

    pub(crate) fn index(self) -> usize {
        self as usize
    }
}

#[cfg(test)]
mod tests {
    use super::Kind;
    use std::net::TcpListener;
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixStream;

    #[test]
    fn each_kind_is_known() {
        let file = tempfile::tempfile().unwrap();
        let (pipe, _end) = std::io::pipe().unwrap();
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let (local, _peer) = UnixStream::pair().unwrap();
        let null = std::fs::File::open("/dev/null").unwrap();
        let descriptors = [
            file.as_fd(),
            pipe.as_fd(),
            socket.as_fd(),
            local.as_fd(),
            null.as_fd(),
        ];
        assert_eq!(descriptors.map(Kind::of), Kind::ALL);
        assert!(
            Kind::ALL
                .iter()
                .enumerate()
                .all(|(at, kind)| kind.index() == at)
        );
    }
}
