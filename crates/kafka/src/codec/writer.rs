//! Appends the fields of a message to a `Vec<u8>`, in one of the two encodings. It cannot fail.

use uuid::Uuid;

use super::{Encoding, varint};

/// A writer at the end of a byte vector.
#[derive(Debug)]
pub struct Writer<'o> {
    out: &'o mut Vec<u8>,
    encoding: Encoding,
}

macro_rules! integers {
    ($($name:ident: $type:ty),*) => {$(
        #[doc = concat!("Writes a big-endian `", stringify!($type), "`.")]
        #[inline]
        pub fn $name(&mut self, value: $type) {
            self.out.extend_from_slice(&value.to_be_bytes());
        }
    )*};
}

impl<'o> Writer<'o> {
    /// Appends to `out`.
    pub fn new(out: &'o mut Vec<u8>, encoding: Encoding) -> Self {
        Self { out, encoding }
    }

    /// The encoding of strings, arrays and tags from here on.
    pub fn encoding(&self) -> Encoding {
        self.encoding
    }

    /// Changes the encoding: the header of a flexible request begins with a classic string.
    pub fn set_encoding(&mut self, encoding: Encoding) {
        self.encoding = encoding;
    }

    /// Bytes in the vector so far, those before this writer included.
    pub fn position(&self) -> usize {
        self.out.len()
    }

    integers!(i8: i8, i16: i16, u16: u16, i32: i32, u32: u32, i64: i64);

    /// Writes one byte, 0 or 1.
    pub fn bool(&mut self, value: bool) {
        self.i8(i8::from(value));
    }

    /// Writes the sixteen bytes of a uuid.
    pub fn uuid(&mut self, value: Uuid) {
        self.raw(value.as_bytes());
    }

    /// Writes bytes as they are.
    pub fn raw(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    /// Writes an unsigned variable-length integer.
    pub fn uvarint(&mut self, value: u32) {
        varint::write(self.out, u64::from(value));
    }

    /// Writes a string that may be null.
    ///
    /// The classic encoding has room for 32,767 bytes; a longer string is cut at a character's border (only an error message
    /// that quotes a hostile name can be so long).
    pub fn nullable_string(&mut self, text: Option<&str>) {
        let text = match self.encoding {
            Encoding::Classic => {
                text.map(|text| &text[..text.floor_char_boundary(i16::MAX as usize)])
            }
            Encoding::Flexible => text,
        };
        match self.encoding {
            Encoding::Classic => self.i16(text.map_or(-1, |text| text.len() as i16)),
            Encoding::Flexible => self.uvarint(text.map_or(0, |text| text.len() as u32 + 1)),
        }
        self.raw(text.unwrap_or_default().as_bytes());
    }

    /// Writes a string.
    pub fn string(&mut self, text: &str) {
        self.nullable_string(Some(text));
    }

    /// Writes a run of bytes that may be null.
    pub fn nullable_bytes(&mut self, bytes: Option<&[u8]>) {
        self.nullable_count(bytes.map(<[u8]>::len));
        self.raw(bytes.unwrap_or_default());
    }

    /// Writes the length of bytes or the count of an array, either of which may be null.
    ///
    /// # Panics
    /// When it does not fit 31 bits: no frame could hold it.
    pub fn nullable_count(&mut self, count: Option<usize>) {
        assert!(count.is_none_or(|count| count < i32::MAX as usize));
        match self.encoding {
            Encoding::Classic => self.i32(count.map_or(-1, |count| count as i32)),
            Encoding::Flexible => self.uvarint(count.map_or(0, |count| count as u32 + 1)),
        }
    }

    /// Writes one field of a tag buffer, whose count was written before.
    pub fn tagged(&mut self, tag: u32, write: impl FnOnce(&mut Writer<'_>)) {
        let mut value = Vec::new();
        write(&mut Writer::new(&mut value, self.encoding));
        self.uvarint(tag);
        self.uvarint(value.len() as u32);
        self.raw(&value);
    }

    /// Writes an empty tag buffer, in the flexible encoding only.
    pub fn no_tags(&mut self) {
        if self.encoding == Encoding::Flexible {
            self.uvarint(0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_classic_string_is_cut_at_a_character() {
        let long = "ä".repeat(20_000);
        let mut out = Vec::new();
        Writer::new(&mut out, Encoding::Classic).string(&long);
        assert_eq!(out.len(), 2 + 32_766);
        let mut out = Vec::new();
        Writer::new(&mut out, Encoding::Flexible).string(&long);
        assert_eq!(out.len(), 3 + 40_000);
    }
}
