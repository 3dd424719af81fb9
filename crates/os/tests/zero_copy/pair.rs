//! Two ends of a connection.

use std::net::{TcpListener, TcpStream};

pub(super) fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let to = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (to, listener.accept().unwrap().0)
}
