//! Two ends of a connection, and waiting for what the other end does.

use std::net::{TcpListener, TcpStream};
use std::os::fd::AsFd;

use pagelog_os::receive::waiting;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

pub(super) fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let to = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let from = listener.accept().unwrap().0;
    to.set_nodelay(true).unwrap();
    (to, from)
}

pub(super) fn wait_for(from: &TcpStream, size: usize) {
    while waiting(from.as_fd()).unwrap() < size {
        std::thread::yield_now();
    }
}

pub(super) fn is_readable(socket: &TcpStream) -> bool {
    let mut polled = [PollFd::new(socket, PollFlags::IN)];
    let no_time = Timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    poll(&mut polled, Some(&no_time)).unwrap() > 0
}
