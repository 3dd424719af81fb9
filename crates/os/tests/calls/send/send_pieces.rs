//! Pieces that lie in no list: `sendmsg`.

use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;

use pagelog_os::Mapping;
use pagelog_os::send::{Piece, send_pieces};

use super::stored::read_all;

/// As many as are listed on the stack, one more, and more than one call takes.
#[test]
fn any_number_of_them_arrives_in_order() {
    let bytes: Vec<u8> = (0..2_000_u32).map(|at| (at % 251) as u8).collect();
    let memory = Mapping::anonymous(bytes.len()).unwrap();
    memory.copy_in(0, &bytes).unwrap();
    for (count, sent) in [(0, 0), (1, 1), (64, 64), (65, 65), (2_000, 1_024)] {
        let (to, from) = UnixStream::pair().unwrap();
        let pieces = (0..count).map(|at| match at % 2 {
            0 => Piece::Bytes(&bytes[at..=at]),
            _ => Piece::Mapped(&memory, at..at + 1),
        });
        assert_eq!(send_pieces(to.as_fd(), pieces, false).unwrap(), sent);
        assert_eq!(read_all(from, to), bytes[..sent]);
    }
}
