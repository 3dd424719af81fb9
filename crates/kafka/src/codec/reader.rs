//! A cursor over the bytes of one frame. It never copies, and believes no length before it has compared it with what is there.

use uuid::Uuid;

use super::{DecodeError, Encoding, varint};

/// The most array elements that one message may hold, over all its arrays.
///
/// An element takes up to some twenty times its bytes once it is decoded, so a full frame of empty strings would otherwise cost gigabytes.
/// A million is more than the partitions and replicas that the largest real Metadata answer names.
pub const ELEMENTS_MAX: u32 = 1 << 20;

/// A checked cursor over `&[u8]`, in one of the two encodings.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    rest: &'a [u8],
    encoding: Encoding,
    elements_left: u32,
}

macro_rules! integers {
    ($($name:ident: $type:ty),*) => {$(
        #[doc = concat!("Reads a big-endian `", stringify!($type), "`.\n\n# Errors\nWhen the frame ends before it does.")]
        #[inline]
        pub fn $name(&mut self) -> Result<$type, DecodeError> {
            Ok(<$type>::from_be_bytes(self.array()?))
        }
    )*};
}

impl<'a> Reader<'a> {
    /// A cursor at the front of `bytes`.
    pub fn new(bytes: &'a [u8], encoding: Encoding) -> Self {
        Self {
            rest: bytes,
            encoding,
            elements_left: ELEMENTS_MAX,
        }
    }

    /// The bytes that are not read yet.
    pub fn remaining(&self) -> &'a [u8] {
        self.rest
    }

    /// The encoding of strings, arrays and tags from here on.
    pub fn encoding(&self) -> Encoding {
        self.encoding
    }

    /// Changes the encoding: the header of a flexible request begins with a classic string.
    pub fn set_encoding(&mut self, encoding: Encoding) {
        self.encoding = encoding;
    }

    /// Takes the next `size` bytes.
    ///
    /// # Errors
    /// When fewer are left.
    #[inline]
    pub fn take(&mut self, size: usize) -> Result<&'a [u8], DecodeError> {
        let (taken, rest) = self
            .rest
            .split_at_checked(size)
            .ok_or(DecodeError::Truncated {
                wanted: size,
                remaining: self.rest.len(),
            })?;
        self.rest = rest;
        Ok(taken)
    }

    #[inline]
    fn array<const SIZE: usize>(&mut self) -> Result<[u8; SIZE], DecodeError> {
        let (taken, rest) =
            self.rest
                .split_first_chunk::<SIZE>()
                .ok_or(DecodeError::Truncated {
                    wanted: SIZE,
                    remaining: self.rest.len(),
                })?;
        self.rest = rest;
        Ok(*taken)
    }

    integers!(i8: i8, i16: i16, u16: u16, i32: i32, u32: u32, i64: i64);

    /// Reads one byte; any but zero is true.
    ///
    /// # Errors
    /// At the end of the frame.
    pub fn bool(&mut self) -> Result<bool, DecodeError> {
        Ok(self.i8()? != 0)
    }

    /// Reads the sixteen bytes of a uuid.
    ///
    /// # Errors
    /// When the frame ends before it does.
    pub fn uuid(&mut self) -> Result<Uuid, DecodeError> {
        Ok(Uuid::from_bytes(self.array()?))
    }

    /// Reads an unsigned variable-length integer of 32 bits.
    ///
    /// # Errors
    /// When it is cut short or longer than 32 bits.
    #[inline]
    pub fn uvarint(&mut self) -> Result<u32, DecodeError> {
        let (value, size) = varint::read_u32(self.rest)?;
        self.rest = &self.rest[size..];
        Ok(value)
    }

    /// Reads a zigzag integer of 32 bits, as records hold them.
    ///
    /// # Errors
    /// When it is cut short or longer than 32 bits.
    pub fn varint(&mut self) -> Result<i32, DecodeError> {
        self.uvarint().map(varint::unzigzag_32)
    }

    /// Reads a zigzag integer of 64 bits, as records hold them.
    ///
    /// # Errors
    /// When it is cut short or longer than 64 bits.
    pub fn varlong(&mut self) -> Result<i64, DecodeError> {
        let (value, size) = varint::read_u64(self.rest)?;
        self.rest = &self.rest[size..];
        Ok(varint::unzigzag_64(value))
    }

    /// Reads a string that may be null.
    ///
    /// # Errors
    /// When its length is wrong or it is not UTF-8.
    pub fn nullable_string(&mut self) -> Result<Option<&'a str>, DecodeError> {
        let size = match self.encoding {
            Encoding::Classic => non_negative_or_null(i64::from(self.i16()?))?,
            Encoding::Flexible => self.compact_length()?,
        };
        let Some(size) = size else { return Ok(None) };
        let text = std::str::from_utf8(self.take(size)?).map_err(|_| DecodeError::NotUtf8)?;
        Ok(Some(text))
    }

    /// Reads a string.
    ///
    /// # Errors
    /// When it is null, its length is wrong or it is not UTF-8.
    pub fn string(&mut self) -> Result<&'a str, DecodeError> {
        self.nullable_string()?.ok_or(DecodeError::Null)
    }

    /// Reads a run of bytes that may be null, without copying it.
    ///
    /// # Errors
    /// When its length is wrong.
    pub fn nullable_bytes(&mut self) -> Result<Option<&'a [u8]>, DecodeError> {
        self.length()?.map(|size| self.take(size)).transpose()
    }

    /// Reads the count of an array that may be null. `element_size_min` is the fewest bytes that one element can take.
    ///
    /// # Errors
    /// When the count cannot be true: negative, more than the remaining bytes hold, or past [`ELEMENTS_MAX`] in all.
    pub fn nullable_count(
        &mut self,
        element_size_min: usize,
    ) -> Result<Option<usize>, DecodeError> {
        let Some(count) = self.length()? else {
            return Ok(None);
        };
        let remaining = self.rest.len();
        if count > remaining / element_size_min.max(1) {
            return Err(DecodeError::CountBeyondFrame { count, remaining });
        }
        let claimed = u32::try_from(count).map_err(|_| DecodeError::TooManyElements)?;
        self.elements_left = self
            .elements_left
            .checked_sub(claimed)
            .ok_or(DecodeError::TooManyElements)?;
        Ok(Some(count))
    }

    /// Visits the fields of a tag buffer; what the visitor does not read of a field is skipped. Nothing happens in the classic encoding.
    ///
    /// # Errors
    /// When the buffer is cut short or its tags do not ascend, or what the visitor says.
    pub fn tags(
        &mut self,
        mut visit: impl FnMut(u32, &mut Reader<'a>) -> Result<(), DecodeError>,
    ) -> Result<(), DecodeError> {
        if self.encoding == Encoding::Classic {
            return Ok(());
        }
        let mut least = 0u64;
        for _ in 0..self.uvarint()? {
            let tag = self.uvarint()?;
            if u64::from(tag) < least {
                return Err(DecodeError::TagOrder(tag));
            }
            least = u64::from(tag) + 1;
            let size = self.uvarint()? as usize;
            let mut field = Reader {
                rest: self.take(size)?,
                ..*self
            };
            visit(tag, &mut field)?;
            self.elements_left = field.elements_left;
        }
        Ok(())
    }

    /// Skips a tag buffer.
    ///
    /// # Errors
    /// As [`Reader::tags`].
    pub fn skip_tags(&mut self) -> Result<(), DecodeError> {
        self.tags(|_, _| Ok(()))
    }

    /// The length of bytes or the count of an array; none is null.
    fn length(&mut self) -> Result<Option<usize>, DecodeError> {
        match self.encoding {
            Encoding::Classic => non_negative_or_null(i64::from(self.i32()?)),
            Encoding::Flexible => self.compact_length(),
        }
    }

    /// KIP-482: a compact length is written plus one, so that 0 is null.
    fn compact_length(&mut self) -> Result<Option<usize>, DecodeError> {
        Ok(self.uvarint()?.checked_sub(1).map(|size| size as usize))
    }
}

fn non_negative_or_null(length: i64) -> Result<Option<usize>, DecodeError> {
    if length == -1 {
        return Ok(None);
    }
    usize::try_from(length)
        .map(Some)
        .map_err(|_| DecodeError::Negative(length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_counts_are_refused_before_anything_is_sized() {
        let mut reader = Reader::new(&[0x7f, 0xff, 0xff, 0xff, 0], Encoding::Classic);
        assert!(matches!(
            reader.nullable_count(1),
            Err(DecodeError::CountBeyondFrame { .. })
        ));
        let mut reader = Reader::new(&[0x80, 0, 0, 0], Encoding::Classic);
        assert_eq!(
            reader.nullable_count(1),
            Err(DecodeError::Negative(i64::from(i32::MIN)))
        );
        let mut reader = Reader::new(&[0xff, 0xff, 0xff, 0xff, 0x0f], Encoding::Flexible);
        assert!(matches!(
            reader.nullable_count(1),
            Err(DecodeError::CountBeyondFrame { .. })
        ));
    }

    #[test]
    fn all_arrays_of_a_message_share_one_budget() {
        let mut bytes = Vec::new();
        for _ in 0..2 {
            bytes.extend_from_slice(&(ELEMENTS_MAX as i32 / 2 + 1).to_be_bytes());
        }
        bytes.resize(bytes.len() + ELEMENTS_MAX as usize, 0);
        let mut reader = Reader::new(&bytes, Encoding::Classic);
        assert!(reader.nullable_count(1).is_ok());
        assert_eq!(reader.nullable_count(1), Err(DecodeError::TooManyElements));
    }

    #[test]
    fn tags_ascend_and_unknown_ones_are_skipped() {
        let mut seen = Vec::new();
        let mut reader = Reader::new(&[2, 0, 1, 0xaa, 5, 2, 1, 2, 9], Encoding::Flexible);
        let visited = reader.tags(|tag, field| {
            seen.push((tag, field.remaining().len()));
            Ok(())
        });
        assert_eq!(visited, Ok(()));
        assert_eq!(seen, [(0, 1), (5, 2)]);
        assert_eq!(reader.remaining(), [9]);
        let mut reader = Reader::new(&[2, 3, 0, 3, 0], Encoding::Flexible);
        assert_eq!(reader.skip_tags(), Err(DecodeError::TagOrder(3)));
    }

    #[test]
    fn null_and_negative_lengths_differ() {
        let string = |bytes: &[u8]| {
            Reader::new(bytes, Encoding::Classic)
                .nullable_string()
                .map(|text| text.map(str::len))
        };
        assert_eq!(string(&[0xff, 0xff]), Ok(None));
        assert_eq!(string(&[0xff, 0xfe]), Err(DecodeError::Negative(-2)));
        assert_eq!(string(&[0, 1, b'a']), Ok(Some(1)));
        assert_eq!(string(&[0, 1, 0xff]), Err(DecodeError::NotUtf8));
        assert_eq!(
            Reader::new(&[0], Encoding::Flexible).string(),
            Err(DecodeError::Null)
        );
    }
}
