//! Framing: a length of four bytes, signed and big-endian, then as many bytes. Both protocols have it.

/// Bytes of the length prefix.
pub const PREFIX_SIZE: usize = 4;

/// A length that no frame can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadLength(pub i32);

/// What the front of some received bytes is.
#[derive(Debug, PartialEq, Eq)]
pub enum Front<'a> {
    /// A whole frame, without its prefix.
    Frame(&'a [u8]),
    /// The beginning of a frame that is so long, prefix included; `None` while the prefix is not whole.
    Part(Option<usize>),
}

/// Looks at the front of `bytes`. A frame is at most `size_max` bytes long, prefix not counted.
///
/// # Errors
/// A length that is negative or larger.
pub fn front(bytes: &[u8], size_max: usize) -> Result<Front<'_>, BadLength> {
    let Some((prefix, rest)) = bytes.split_first_chunk::<PREFIX_SIZE>() else {
        return Ok(Front::Part(None));
    };
    let length = i32::from_be_bytes(*prefix);
    let size = usize::try_from(length)
        .ok()
        .filter(|size| *size <= size_max)
        .ok_or(BadLength(length))?;
    Ok(match rest.get(..size) {
        Some(frame) => Front::Frame(frame),
        None => Front::Part(Some(PREFIX_SIZE + size)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_whole_partial_and_impossible() {
        assert_eq!(front(&[0, 0], 9), Ok(Front::Part(None)));
        assert_eq!(front(&[0, 0, 0, 2, 5], 9), Ok(Front::Part(Some(6))));
        assert_eq!(front(&[0, 0, 0, 2, 5, 6, 7], 9), Ok(Front::Frame(&[5, 6])));
        assert_eq!(front(&[0, 0, 0, 0], 9), Ok(Front::Frame(&[])));
        assert_eq!(front(&[0, 0, 0, 10], 9), Err(BadLength(10)));
        assert_eq!(front(&[0xff; 4], 9), Err(BadLength(-1)));
        assert_eq!(
            front(b"GET / HTTP/1.1", 1 << 20),
            Err(BadLength(0x4745_5420))
        );
    }
}
