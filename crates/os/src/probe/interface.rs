//! The network interfaces, and whether their cards gather: take the pages that a send refers to from where they lie.
#![allow(unsafe_code)]

use std::fmt;
use std::fs;
use std::io;
use std::net::UdpSocket;
use std::os::fd::AsRawFd;

/// `linux/sockios.h`.
const SIOCETHTOOL: libc::c_ulong = 0x8946;

/// `ETHTOOL_GSG` of `linux/ethtool.h`: asks for scatter and gather.
const GET_SCATTER_GATHER: u32 = 0x18;

/// `struct ethtool_value`.
#[repr(C)]
struct Value {
    command: u32,
    data: u32,
}

/// One network interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interface {
    /// As `ip link` names it.
    pub name: String,
    /// Whether it gathers (scatter/gather DMA); where not, the kernel copies what is sent into one piece, whatever the path.
    /// `None` where it does not say.
    pub gathers: Option<bool>,
}

impl Interface {
    /// `int ioctl(int socket, SIOCETHTOOL, struct ifreq *)` with `ETHTOOL_GSG` for each name in `/sys/class/net`: all that this
    /// network namespace has, by name.
    ///
    /// Differs from the call in that an interface that does not answer is listed all the same.
    ///
    /// Safe, since the structures that the kernel reads and fills live through the call.
    ///
    /// # Errors
    ///
    /// `/sys/class/net` cannot be read, or no socket is to be had. man 7 netdevice.
    pub fn all() -> io::Result<Vec<Interface>> {
        let socket = UdpSocket::bind("127.0.0.1:0")?;
        let mut interfaces = Vec::new();
        for entry in fs::read_dir("/sys/class/net")? {
            let name = entry?.file_name().to_string_lossy().into_owned();
            let gathers = gathers(&socket, &name).ok();
            interfaces.push(Interface { name, gathers });
        }
        interfaces.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(interfaces)
    }
}

impl fmt::Display for Interface {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = match self.gathers {
            Some(true) => "gathers: pages go to the card as they lie",
            Some(false) => "does not gather: the kernel copies once more, whatever the path",
            None => "does not say whether it gathers",
        };
        let name = format!("interface {}", self.name);
        write!(formatter, "{name:<22} {words}")
    }
}

/// `int ioctl(int socket, SIOCETHTOOL, struct ifreq *)` with `ETHTOOL_GSG`. man 7 netdevice.
fn gathers(socket: &UdpSocket, name: &str) -> io::Result<bool> {
    let mut value = Value {
        command: GET_SCATTER_GATHER,
        data: 0,
    };
    // SAFETY: zeros are a valid `struct ifreq`.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    // The last byte stays zero.
    let places = request.ifr_name.iter_mut().take(libc::IFNAMSIZ - 1);
    for (place, byte) in places.zip(name.bytes()) {
        *place = byte as libc::c_char;
    }
    request.ifr_ifru.ifru_data = (&raw mut value).cast();
    // SAFETY: the request is whole and refers to a value of the command's size; both live through the call.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), SIOCETHTOOL as _, &raw mut request) };
    if result == 0 {
        Ok(value.data != 0)
    } else {
        Err(io::Error::last_os_error())
    }
}
