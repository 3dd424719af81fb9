//! Two linked splices: `IORING_OP_SPLICE`.

use std::io::Read;
use std::os::fd::AsFd;

use pagelog_os::Pipe;

use super::ring::{pair, ring, stored};

#[test]
fn a_splice_goes_through_the_pipe_and_leaves_what_does_not_fit() {
    let Some(mut ring) = ring() else { return };
    if !ring.operations().splice {
        return;
    }
    let (stored, bytes) = stored(4 << 20);
    let (to, mut from) = pair();
    let mut pipe = Pipe::new(65_536).unwrap();
    let mut sent = 0;
    let (moved_in, moved_out) = loop {
        let size = 32_768;
        let moved = ring.splice_through(stored.file(), sent as u64, &mut pipe, to.as_fd(), size);
        let (moved_in, moved_out) = moved.unwrap();
        sent += moved_out;
        if moved_out < moved_in {
            break (moved_in, moved_out);
        }
    };
    assert_eq!(pipe.filled(), moved_in - moved_out);
    let mut seen = vec![0; sent];
    from.read_exact(&mut seen).unwrap();
    assert!(seen == bytes[..sent]);
    let mut rest = vec![0; pipe.filled()];
    let size = rest.len();
    assert_eq!(pipe.read(&mut rest).unwrap(), size);
    assert!(rest == bytes[sent..sent + size]);
}
