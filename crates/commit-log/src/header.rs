//! What the headers of all files beside the log have in common: a magic at the front, a checksum at the end.

use pagelog_record::crc32c;

const CHECKSUM_SIZE: usize = 4;

/// Why these bytes are no header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unsealed {
    /// They begin with another magic.
    Magic,
    /// The checksum is not theirs.
    Checksum,
}

/// Writes the magic into the first eight bytes, and the checksum of all before it into the last four.
pub(crate) fn seal<const SIZE: usize>(bytes: &mut [u8; SIZE], magic: [u8; 8]) {
    bytes[..8].copy_from_slice(&magic);
    let checksum = crc32c::of(&bytes[..SIZE - CHECKSUM_SIZE]);
    bytes[SIZE - CHECKSUM_SIZE..].copy_from_slice(&checksum.to_le_bytes());
}

/// Whether [`seal`] has written both.
pub(crate) fn check<const SIZE: usize>(bytes: &[u8; SIZE], magic: [u8; 8]) -> Result<(), Unsealed> {
    if bytes[..8] != magic {
        return Err(Unsealed::Magic);
    }
    let checksum = u32::from_le_bytes(field(bytes, SIZE - CHECKSUM_SIZE));
    match checksum == crc32c::of(&bytes[..SIZE - CHECKSUM_SIZE]) {
        true => Ok(()),
        false => Err(Unsealed::Checksum),
    }
}

/// `N` bytes from a constant place.
pub(crate) fn field<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    let mut out = [0; N];
    out.copy_from_slice(&bytes[at..at + N]);
    out
}
