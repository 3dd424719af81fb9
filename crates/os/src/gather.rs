//! Lists of pieces of memory for the calls that gather: `struct iovec`.

use std::ops::Range;

use crate::{Mapping, MemoryFault};

/// The most pieces one call takes: `UIO_MAXIOV` of the kernel, `IOV_MAX` of POSIX.
pub(crate) const PIECES_MAX: usize = 1024;

/// A piece of plain memory. Whoever passes it to the kernel sees to it that `bytes` still lives.
pub(crate) fn of_bytes(bytes: &[u8]) -> libc::iovec {
    libc::iovec {
        iov_base: bytes.as_ptr().cast_mut().cast(),
        iov_len: bytes.len(),
    }
}

/// A piece of a mapping, refused when the mapping has faulted: its bytes are no longer the file's.
///
/// # Panics
///
/// When the range lies outside the mapping.
pub(crate) fn of_mapping(
    mapping: &Mapping,
    range: &Range<usize>,
) -> Result<libc::iovec, MemoryFault> {
    mapping.check_range(range);
    mapping.check_fault()?;
    let address = mapping.address().wrapping_add(range.start);
    Ok(libc::iovec {
        iov_base: address.cast(),
        iov_len: range.len(),
    })
}
