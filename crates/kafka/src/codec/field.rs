//! What a field of a message can be: integers, strings, bytes, uuids, arrays and structs, each in both directions.

use bytes::Bytes;
use uuid::Uuid;

use super::{DecodeError, Encoding, ErrorCode, Reader, Writer};

/// A field, or a struct of fields, as one version of a message writes it.
pub trait Field<'a>: Sized {
    /// Reads it.
    ///
    /// # Errors
    /// When the bytes cannot be what they claim.
    fn decode(reader: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError>;

    /// Writes it.
    fn encode(&self, writer: &mut Writer<'_>, version: i16);

    /// The fewest bytes that it takes: an array's count is held against this before memory is taken for it.
    fn size_min(version: i16, encoding: Encoding) -> usize;
}

macro_rules! scalars {
    ($($type:ty: $name:ident, $size:literal;)*) => {$(
        impl<'a> Field<'a> for $type {
            #[inline]
            fn decode(reader: &mut Reader<'a>, _version: i16) -> Result<Self, DecodeError> {
                reader.$name()
            }

            #[inline]
            fn encode(&self, writer: &mut Writer<'_>, _version: i16) {
                writer.$name(*self);
            }

            fn size_min(_version: i16, _encoding: Encoding) -> usize {
                $size
            }
        }
    )*};
}

scalars! {
    bool: bool, 1;
    i8: i8, 1;
    i16: i16, 2;
    u16: u16, 2;
    i32: i32, 4;
    u32: u32, 4;
    i64: i64, 8;
    Uuid: uuid, 16;
}

impl<'a> Field<'a> for ErrorCode {
    fn decode(reader: &mut Reader<'a>, _version: i16) -> Result<Self, DecodeError> {
        reader.i16().map(ErrorCode)
    }

    fn encode(&self, writer: &mut Writer<'_>, _version: i16) {
        writer.i16(self.0);
    }

    fn size_min(_version: i16, _encoding: Encoding) -> usize {
        2
    }
}

/// A number with a fraction; kept as its bits, so that it is equal to itself whatever they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Double(u64);

impl From<f64> for Double {
    fn from(value: f64) -> Double {
        Double(value.to_bits())
    }
}

impl From<Double> for f64 {
    fn from(double: Double) -> f64 {
        f64::from_bits(double.0)
    }
}

impl<'a> Field<'a> for Double {
    fn decode(reader: &mut Reader<'a>, _version: i16) -> Result<Self, DecodeError> {
        Ok(Double(reader.i64()?.cast_unsigned()))
    }

    fn encode(&self, writer: &mut Writer<'_>, _version: i16) {
        writer.i64(self.0.cast_signed());
    }

    fn size_min(_version: i16, _encoding: Encoding) -> usize {
        8
    }
}

/// The length of an empty string: two bytes, or one compact one.
fn string_size_min(encoding: Encoding) -> usize {
    match encoding {
        Encoding::Classic => 2,
        Encoding::Flexible => 1,
    }
}

/// The count of an empty array, or the length of no bytes: four bytes, or one compact one.
fn count_size_min(encoding: Encoding) -> usize {
    match encoding {
        Encoding::Classic => 4,
        Encoding::Flexible => 1,
    }
}

macro_rules! strings {
    ($($type:ty: |$reader:ident| $decode:expr, |$text:ident| $encode:expr;)*) => {$(
        impl<'a> Field<'a> for $type {
            fn decode($reader: &mut Reader<'a>, _version: i16) -> Result<Self, DecodeError> {
                $decode
            }

            fn encode(&self, writer: &mut Writer<'_>, _version: i16) {
                let $text = self;
                writer.nullable_string($encode);
            }

            fn size_min(_version: i16, encoding: Encoding) -> usize {
                string_size_min(encoding)
            }
        }
    )*};
}

strings! {
    &'a str: |reader| reader.string(), |text| Some(text);
    Option<&'a str>: |reader| reader.nullable_string(), |text| *text;
    String: |reader| reader.string().map(str::to_owned), |text| Some(text);
    Option<String>: |reader| Ok(reader.nullable_string()?.map(str::to_owned)), |text| text.as_deref();
}

macro_rules! bytes {
    ($($type:ty: |$decoded:ident| $decode:expr;)*) => {$(
        impl<'a> Field<'a> for $type {
            fn decode(reader: &mut Reader<'a>, _version: i16) -> Result<Self, DecodeError> {
                let $decoded = reader.nullable_bytes()?.ok_or(DecodeError::Null)?;
                Ok($decode)
            }

            fn encode(&self, writer: &mut Writer<'_>, _version: i16) {
                writer.nullable_bytes(Some(self));
            }

            fn size_min(_version: i16, encoding: Encoding) -> usize {
                count_size_min(encoding)
            }
        }
    )*};
}

bytes! {
    &'a [u8]: |bytes| bytes;
    Bytes: |bytes| Bytes::copy_from_slice(bytes);
}

impl<'a> Field<'a> for Option<&'a [u8]> {
    fn decode(reader: &mut Reader<'a>, _version: i16) -> Result<Self, DecodeError> {
        reader.nullable_bytes()
    }

    fn encode(&self, writer: &mut Writer<'_>, _version: i16) {
        writer.nullable_bytes(*self);
    }

    fn size_min(_version: i16, encoding: Encoding) -> usize {
        count_size_min(encoding)
    }
}

impl<'a, T: Field<'a>> Field<'a> for Option<Vec<T>> {
    fn decode(reader: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        let size_min = T::size_min(version, reader.encoding());
        let Some(count) = reader.nullable_count(size_min)? else {
            return Ok(None);
        };
        let mut elements = Vec::with_capacity(count);
        for _ in 0..count {
            elements.push(T::decode(reader, version)?);
        }
        Ok(Some(elements))
    }

    fn encode(&self, writer: &mut Writer<'_>, version: i16) {
        writer.nullable_count(self.as_ref().map(Vec::len));
        for element in self.iter().flatten() {
            element.encode(writer, version);
        }
    }

    fn size_min(_version: i16, encoding: Encoding) -> usize {
        count_size_min(encoding)
    }
}

impl<'a, T: Field<'a>> Field<'a> for Vec<T> {
    fn decode(reader: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        Option::<Vec<T>>::decode(reader, version)?.ok_or(DecodeError::Null)
    }

    fn encode(&self, writer: &mut Writer<'_>, version: i16) {
        writer.nullable_count(Some(self.len()));
        for element in self {
            element.encode(writer, version);
        }
    }

    fn size_min(_version: i16, encoding: Encoding) -> usize {
        count_size_min(encoding)
    }
}

/// Lets a struct be null: a byte before it says whether it is there (KIP-893).
macro_rules! nullable {
    ($type:ty) => {
        impl<'a> $crate::codec::Field<'a> for Option<$type> {
            fn decode(
                reader: &mut $crate::codec::Reader<'a>,
                version: i16,
            ) -> Result<Self, $crate::codec::DecodeError> {
                match reader.i8()? {
                    ..0 => Ok(None),
                    _ => <$type>::decode(reader, version).map(Some),
                }
            }

            fn encode(&self, writer: &mut $crate::codec::Writer<'_>, version: i16) {
                match self {
                    None => writer.i8(-1),
                    Some(there) => {
                        writer.i8(1);
                        there.encode(writer, version);
                    }
                }
            }

            fn size_min(_version: i16, _encoding: $crate::codec::Encoding) -> usize {
                1
            }
        }

        #[cfg(test)]
        impl $crate::codec::tests::Sample for Option<$type> {
            fn sample(random: &mut pagelog_testing::Random, version: i16) -> Self {
                let there = !random.one_in(3);
                there.then(|| $crate::codec::tests::Sample::sample(random, version))
            }
        }
    };
}

pub(super) use nullable;
