//! Peers on this very machine: nothing lies between the sockets that could be congested.

use std::net::{SocketAddr, TcpStream};

use rustix::net::sockopt::set_tcp_congestion;

/// The plainest of the kernel's algorithms: always built in, never paces.
const UNPACED: &str = "reno";

/// Spares a connection to a peer on this machine a congestion control that probes for a bottleneck.
///
/// BBR paces what it sends to the bandwidth it believes in, over loopback too: answers of 1 MiB then leave at less than half the speed. The
/// choice for everybody else stays the system's (`net.ipv4.tcp_congestion_control`). tcp(7), `TCP_CONGESTION`.
pub(crate) fn unpace(socket: &TcpStream, local: SocketAddr, peer: SocketAddr) {
    if local.ip().to_canonical() == peer.ip().to_canonical() || peer.ip().is_loopback() {
        // Where it is refused (`net.ipv4.tcp_allowed_congestion_control`), all works as before.
        let _ = set_tcp_congestion(socket, UNPACED);
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use rustix::net::sockopt::tcp_congestion;

    use super::*;

    #[test]
    fn peers_on_this_machine_are_not_paced_and_others_are_left_alone() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let _client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (socket, _) = listener.accept().unwrap();
        let before = tcp_congestion(&socket).unwrap();
        let here: SocketAddr = "192.0.2.1:9092".parse().unwrap();
        unpace(&socket, here, "192.0.2.7:4000".parse().unwrap());
        assert_eq!(tcp_congestion(&socket).unwrap(), before);
        for near in [
            "192.0.2.1:4000",
            "[::ffff:192.0.2.1]:4000",
            "127.0.0.1:4000",
            "[::1]:4000",
        ] {
            set_tcp_congestion(&socket, &before).unwrap();
            unpace(&socket, here, near.parse().unwrap());
            assert_eq!(tcp_congestion(&socket).unwrap(), UNPACED, "{near}");
        }
    }
}
