//! Our fields as those of the `kafka-protocol` crate.

use bytes::Bytes;
use kafka_protocol::messages::{BrokerId, GroupId, ProducerId, TopicName, TransactionalId};
use kafka_protocol::protocol::StrBytes;
use uuid::Uuid;

use crate::codec::describe_topic_partitions::Cursor;
use crate::codec::{Double, ErrorCode};

/// A field as the other codec holds it.
pub(super) trait Convert<T> {
    fn convert(&self, version: i16) -> T;
}

macro_rules! conversions {
    ($($ours:ty => $theirs:ty: |$value:ident| $conversion:expr;)*) => {$(
        impl Convert<$theirs> for $ours {
            fn convert(&self, _version: i16) -> $theirs {
                let $value = self;
                $conversion
            }
        }
    )*};
}

fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

conversions! {
    bool => bool: |value| *value;
    i8 => i8: |value| *value;
    i16 => i16: |value| *value;
    i32 => i32: |value| *value;
    i64 => i64: |value| *value;
    u16 => u16: |value| *value;
    Double => f64: |value| f64::from(*value);
    i32 => BrokerId: |value| BrokerId(*value);
    i64 => ProducerId: |value| ProducerId(*value);
    ErrorCode => i16: |value| value.0;
    Uuid => Uuid: |value| *value;
    &str => StrBytes: |value| text(value);
    &str => GroupId: |value| GroupId(text(value));
    String => GroupId: |value| GroupId(text(value));
    &[u8] => Bytes: |value| Bytes::copy_from_slice(value);
    Bytes => Bytes: |value| value.clone();
    &str => TopicName: |value| TopicName(text(value));
    String => StrBytes: |value| text(value);
    String => TopicName: |value| TopicName(text(value));
    Option<&str> => Option<StrBytes>: |value| value.map(text);
    Option<&str> => Option<TransactionalId>: |value| value.map(|value| TransactionalId(text(value)));
    Option<String> => Option<StrBytes>: |value| value.as_deref().map(text);
    Option<String> => Option<TopicName>: |value| value.as_deref().map(|value| TopicName(text(value)));
    Option<&[u8]> => Option<Bytes>: |value| value.map(Bytes::copy_from_slice);
}

impl<A: Convert<B>, B> Convert<Vec<B>> for Vec<A> {
    fn convert(&self, version: i16) -> Vec<B> {
        self.iter()
            .map(|element| element.convert(version))
            .collect()
    }
}

impl<A: Convert<B>, B> Convert<Option<Vec<B>>> for Option<Vec<A>> {
    fn convert(&self, version: i16) -> Option<Vec<B>> {
        self.as_ref().map(|elements| elements.convert(version))
    }
}

impl<B> Convert<Option<B>> for Option<Cursor>
where
    Cursor: Convert<B>,
{
    fn convert(&self, version: i16) -> Option<B> {
        self.as_ref().map(|cursor| cursor.convert(version))
    }
}
