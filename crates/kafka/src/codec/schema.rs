//! `message!`: a struct of the protocol with the versions of each field, from which both directions are made.
//!
//! ```text
//! message! {
//!     /// What it is.
//!     pub struct Name {                       // or Name<'a>, which borrows from the frame
//!         /// What it means.
//!         field: Type [3..],                  // in versions 3 and later; elsewhere it keeps its default
//!         other: Type [4..=7] = -1,           // with a default that is not the type's own
//!         rare: Type [12..; tag 0] = None,    // in the tag buffer, and only when it differs from its default (KIP-482)
//!     }
//! }
//! ```
//!
//! A field that a version lacks is not written, whatever it holds. Every struct ends in a tag buffer in the flexible encoding;
//! tags that the schema does not name are skipped.

/// Declares one struct of a message; see the module's text.
macro_rules! message {
    ($(#[$meta:meta])* pub struct $name:ident<$life:lifetime> { $($body:tt)* }) => {
        message! { @define [$life] [<$life>] $(#[$meta])* $name { $($body)* } }
    };
    ($(#[$meta:meta])* pub struct $name:ident { $($body:tt)* }) => {
        message! { @define ['a] [] $(#[$meta])* $name { $($body)* } }
    };

    (@define [$life:lifetime] [$($generics:tt)*] $(#[$meta:meta])* $name:ident {$(
        $(#[$field_meta:meta])*
        $field:ident: $type:ty [$versions:expr $(; tag $tag:literal)?] $(= $default:expr)?,
    )*}) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct $name $($generics)* {
            $($(#[$field_meta])* pub $field: $type,)*
        }

        impl $($generics)* Default for $name $($generics)* {
            fn default() -> Self {
                Self { $($field: message!(@default $($default)?),)* }
            }
        }

        impl<$life> $crate::codec::Field<$life> for $name $($generics)* {
            #[allow(unused_mut, unused_variables, reason = "a struct may have no field in a version, or no tagged one")]
            fn decode(
                reader: &mut $crate::codec::Reader<$life>,
                version: i16,
            ) -> Result<Self, $crate::codec::DecodeError> {
                let mut message = Self::default();
                $(message!(@decode message.$field, reader, version, $versions $(, $tag)?);)*
                reader.tags(|tag, reader| {
                    $(message!(@decode_tag message.$field, reader, version, tag, $versions $(, $tag)?);)*
                    Ok(())
                })?;
                Ok(message)
            }

            #[allow(unused_mut, unused_variables, reason = "as above")]
            fn encode(&self, writer: &mut $crate::codec::Writer<'_>, version: i16) {
                $(message!(@encode self.$field, writer, version, $versions $(, $tag)?);)*
                if writer.encoding() == $crate::codec::Encoding::Flexible {
                    let mut tags = 0;
                    $(message!(@count_tag self.$field, tags, version, message!(@typed $type $(= $default)?), $versions $(, $tag)?);)*
                    writer.uvarint(tags);
                    $(message!(@encode_tag self.$field, writer, version, message!(@typed $type $(= $default)?), $versions $(, $tag)?);)*
                }
            }

            #[allow(unused_mut, unused_variables, reason = "as above")]
            fn size_min(version: i16, encoding: $crate::codec::Encoding) -> usize {
                let mut size = usize::from(encoding == $crate::codec::Encoding::Flexible);
                $(message!(@size_min $type, size, version, encoding, $versions $(, $tag)?);)*
                size
            }
        }

        #[cfg(test)]
        impl<$life> $crate::codec::tests::Sample for $name $($generics)* {
            fn sample(random: &mut pagelog_testing::Random, version: i16) -> Self {
                let mut message = Self::default();
                $(message!(@sample message.$field, random, version, $versions);)*
                message
            }
        }
    };

    (@sample $message:ident.$field:ident, $random:ident, $version:ident, $versions:expr) => {
        if message!(@has $versions, $version) {
            $message.$field = $crate::codec::tests::Sample::sample($random, $version);
        }
    };

    (@default) => { Default::default() };
    (@default $default:expr) => { $default };

    (@typed $type:ty $(= $default:expr)?) => {{
        let default: $type = message!(@default $($default)?);
        default
    }};

    (@has $versions:expr, $version:ident) => { std::ops::RangeBounds::<i16>::contains(&($versions), &$version) };

    (@decode $message:ident.$field:ident, $reader:ident, $version:ident, $versions:expr, $tag:literal) => {};
    (@decode $message:ident.$field:ident, $reader:ident, $version:ident, $versions:expr) => {
        if message!(@has $versions, $version) {
            $message.$field = $crate::codec::Field::decode($reader, $version)?;
        }
    };

    (@decode_tag $message:ident.$field:ident, $reader:ident, $version:ident, $read:ident, $versions:expr) => {};
    (@decode_tag $message:ident.$field:ident, $reader:ident, $version:ident, $read:ident, $versions:expr, $tag:literal) => {
        if $read == $tag && message!(@has $versions, $version) {
            $message.$field = $crate::codec::Field::decode($reader, $version)?;
        }
    };

    (@encode $self:ident.$field:ident, $writer:ident, $version:ident, $versions:expr, $tag:literal) => {};
    (@encode $self:ident.$field:ident, $writer:ident, $version:ident, $versions:expr) => {
        if message!(@has $versions, $version) {
            $crate::codec::Field::encode(&$self.$field, $writer, $version);
        }
    };

    (@count_tag $self:ident.$field:ident, $tags:ident, $version:ident, $default:expr, $versions:expr) => {};
    (@count_tag $self:ident.$field:ident, $tags:ident, $version:ident, $default:expr, $versions:expr, $tag:literal) => {
        if message!(@has $versions, $version) && $self.$field != $default {
            $tags += 1;
        }
    };

    (@encode_tag $self:ident.$field:ident, $writer:ident, $version:ident, $default:expr, $versions:expr) => {};
    (@encode_tag $self:ident.$field:ident, $writer:ident, $version:ident, $default:expr, $versions:expr, $tag:literal) => {
        if message!(@has $versions, $version) && $self.$field != $default {
            $writer.tagged($tag, |writer| $crate::codec::Field::encode(&$self.$field, writer, $version));
        }
    };

    (@size_min $type:ty, $size:ident, $version:ident, $encoding:ident, $versions:expr, $tag:literal) => {};
    (@size_min $type:ty, $size:ident, $version:ident, $encoding:ident, $versions:expr) => {
        if message!(@has $versions, $version) {
            $size += <$type as $crate::codec::Field>::size_min($version, $encoding);
        }
    };
}

/// Ties a request and its response to their API.
macro_rules! api {
    ($api:ident: $request:ty => $response:ty) => {
        impl<'a> $crate::codec::Request<'a> for $request {
            const API: $crate::codec::ApiKey = $crate::codec::ApiKey::$api;
        }

        impl<'a> $crate::codec::Response<'a> for $response {
            const API: $crate::codec::ApiKey = $crate::codec::ApiKey::$api;
        }
    };
}

pub(super) use api;
pub(crate) use message;
