//! Variable-length integers: base 128, low group first, the high bit says that another byte follows.
//!
//! Lengths and tags are unsigned; the integers inside records are zigzag, so that small negative ones stay short.

use super::DecodeError;

/// The longest encoding of 32 bits.
pub const VARINT_SIZE_MAX: usize = 5;
/// The longest encoding of 64 bits.
pub const VARLONG_SIZE_MAX: usize = 10;

/// Reads an unsigned integer of at most 32 bits from the front of `bytes`: the value and the bytes it took.
///
/// # Errors
/// [`DecodeError::Truncated`] when `bytes` ends within it, [`DecodeError::Varint`] when it has more than 32 bits.
#[inline]
pub fn read_u32(bytes: &[u8]) -> Result<(u32, usize), DecodeError> {
    // The fifth byte has room for the four highest bits.
    let (value, size) = read::<VARINT_SIZE_MAX>(bytes, 0x0f)?;
    Ok((value as u32, size))
}

/// Reads an unsigned integer of at most 64 bits from the front of `bytes`: the value and the bytes it took.
///
/// # Errors
/// [`DecodeError::Truncated`] when `bytes` ends within it, [`DecodeError::Varint`] when it has more than 64 bits.
#[inline]
pub fn read_u64(bytes: &[u8]) -> Result<(u64, usize), DecodeError> {
    // The tenth byte has room for the highest bit.
    read::<VARLONG_SIZE_MAX>(bytes, 0x01)
}

#[inline]
fn read<const SIZE_MAX: usize>(
    bytes: &[u8],
    last_group_max: u8,
) -> Result<(u64, usize), DecodeError> {
    let mut value = 0u64;
    for (index, &byte) in bytes.iter().take(SIZE_MAX).enumerate() {
        if index == SIZE_MAX - 1 && byte > last_group_max {
            return Err(DecodeError::Varint);
        }
        value |= u64::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return Ok((value, index + 1));
        }
    }
    // Fewer than `SIZE_MAX` bytes, for the last one allowed cannot say that another follows.
    Err(DecodeError::Truncated {
        wanted: bytes.len() + 1,
        remaining: bytes.len(),
    })
}

/// Undoes zigzag for 32 bits: 0, 1, 2, 3 are 0, -1, 1, -2.
#[inline]
pub fn unzigzag_32(value: u32) -> i32 {
    (value >> 1) as i32 ^ -((value & 1) as i32)
}

/// Undoes zigzag for 64 bits.
#[inline]
pub fn unzigzag_64(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

/// Zigzag of 32 bits.
#[inline]
pub fn zigzag_32(value: i32) -> u32 {
    ((value << 1) ^ (value >> 31)) as u32
}

/// Zigzag of 64 bits.
#[inline]
pub fn zigzag_64(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

/// Appends an unsigned integer; one of 32 bits takes at most [`VARINT_SIZE_MAX`] bytes.
pub fn write(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Bytes that [`write()`] takes for `value`.
pub fn size(value: u64) -> usize {
    (64 - (value | 1).leading_zeros() as usize).div_ceil(7)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_survive_at_every_length() {
        for shift in 0..64 {
            for value in [1u64 << shift, (1u64 << shift) - 1, (1u64 << shift) | 1] {
                let mut bytes = Vec::new();
                write(&mut bytes, value);
                assert_eq!(bytes.len(), size(value));
                assert_eq!(read_u64(&bytes), Ok((value, bytes.len())));
                assert_eq!(zigzag_64(unzigzag_64(value)), value);
                let narrow = u32::try_from(value).map(|value| (value, bytes.len()));
                assert_eq!(read_u32(&bytes), narrow.map_err(|_| DecodeError::Varint));
                for cut in 0..bytes.len() {
                    assert!(matches!(
                        read_u64(&bytes[..cut]),
                        Err(DecodeError::Truncated { .. })
                    ));
                }
            }
        }
    }

    #[test]
    fn overlong_integers_are_refused() {
        assert_eq!(
            read_u32(&[0x80, 0x80, 0x80, 0x80, 0x10]),
            Err(DecodeError::Varint)
        );
        assert_eq!(
            read_u32(&[0x80, 0x80, 0x80, 0x80, 0x80, 0x00]),
            Err(DecodeError::Varint)
        );
        assert_eq!(read_u64(&[0xff; 10]), Err(DecodeError::Varint));
        assert_eq!(unzigzag_32(zigzag_32(i32::MIN)), i32::MIN);
        assert_eq!(unzigzag_32(3), -2);
    }
}
