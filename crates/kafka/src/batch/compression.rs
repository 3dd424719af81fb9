//! The four compressions of record batches, decompressed as streams of bounded memory and bounded length.
//!
//! | codec | scratch memory at most | frames |
//! |---|---|---|
//! | gzip | 32 KiB window | one member |
//! | snappy | 22 times the block, which is part of the batch | xerial's (snappy-java), or one bare block |
//! | lz4 | 12 MiB (blocks of 4 MiB, linked) | one LZ4 frame |
//! | zstd | a window of 128 MiB, touched only as far as the output reaches | one frame |
//!
//! One frame a batch is what every client writes. More would let a small batch make the decoder begin anew, and clear its buffers,
//! tens of thousands of times; bytes after the frame are therefore an error.

use std::io::{self, BufReader, Read, Write};

use flate2::bufread::GzDecoder;

use super::BatchError;

/// How the records of a batch are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Codec {
    /// Not at all.
    None,
    /// RFC 1952.
    Gzip,
    /// Snappy blocks in xerial's framing, or one bare block.
    Snappy,
    /// The LZ4 frame format.
    Lz4,
    /// RFC 8878.
    Zstd,
}

/// zstd's largest window, 2^27 bytes, which is also what its decoder takes by default: Java producers at levels 20 to 22 ask for it.
/// Its memory is touched only as far as output reaches, which has its own bound.
const ZSTD_WINDOW_LOG_MAX: u32 = 27;
/// What lies between a decompressor and the walk over its records.
const BUFFER_SIZE: usize = 16 * 1024;
/// A snappy element of three bytes copies at most 64: no block can grow more than this.
const SNAPPY_GROWTH_MAX: usize = 22;
/// snappy-java's stream header: eight bytes that name it, then two versions of four bytes.
const XERIAL_MAGIC: [u8; 8] = [0x82, b'S', b'N', b'A', b'P', b'P', b'Y', 0];
const XERIAL_HEADER_SIZE: usize = 16;
/// What snappy-java puts into one block.
const XERIAL_BLOCK_SIZE: usize = 32 * 1024;

impl Codec {
    /// Every compression.
    pub const ALL: [Codec; 5] = [
        Codec::None,
        Codec::Gzip,
        Codec::Snappy,
        Codec::Lz4,
        Codec::Zstd,
    ];

    /// The compression of the lowest three attribute bits.
    pub fn from_bits(bits: u8) -> Option<Self> {
        Self::ALL.get(usize::from(bits)).copied()
    }

    /// Its attribute bits.
    pub fn bits(self) -> u8 {
        self as u8
    }

    /// Compresses a run of records, as a client would.
    ///
    /// # Errors
    /// What the compressor says; none is known for bytes in memory.
    pub fn compress(self, records: &[u8]) -> io::Result<Vec<u8>> {
        match self {
            Codec::None => Ok(records.to_vec()),
            Codec::Gzip => {
                let mut encoder =
                    flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
                encoder.write_all(records)?;
                encoder.finish()
            }
            Codec::Snappy => compress_xerial(records),
            Codec::Lz4 => {
                let mut encoder = lz4_flex::frame::FrameEncoder::new(Vec::new());
                encoder.write_all(records)?;
                Ok(encoder.finish()?)
            }
            Codec::Zstd => zstd::stream::encode_all(records, 0),
        }
    }
}

fn compress_xerial(records: &[u8]) -> io::Result<Vec<u8>> {
    let mut out = XERIAL_MAGIC.to_vec();
    // Version 1, readable by version 1 and later.
    out.extend_from_slice(&[0, 0, 0, 1, 0, 0, 0, 1]);
    for block in records.chunks(XERIAL_BLOCK_SIZE) {
        let compressed = snap::raw::Encoder::new().compress_vec(block)?;
        out.extend_from_slice(&(compressed.len() as u32).to_be_bytes());
        out.extend_from_slice(&compressed);
    }
    Ok(out)
}

/// A stream of decompressed records.
pub(super) struct Decompressor<'a> {
    reader: BufReader<Bounded<'a>>,
}

impl<'a> Decompressor<'a> {
    /// Decompresses `payload` to at most `size_max` bytes.
    pub(super) fn new(codec: Codec, payload: &'a [u8], size_max: u64) -> Result<Self, BatchError> {
        let stream = Stream::new(codec, payload).map_err(BatchError::Decompress)?;
        let bounded = Bounded {
            stream,
            size: 0,
            size_max,
            ended: false,
        };
        Ok(Self {
            reader: BufReader::with_capacity(BUFFER_SIZE, bounded),
        })
    }

    /// The decompressed bytes.
    pub(super) fn reader(&mut self) -> &mut BufReader<Bounded<'a>> {
        &mut self.reader
    }

    /// Bytes that were decompressed so far, of which a few may not have been read yet.
    pub(super) fn size(&self) -> u64 {
        self.reader.get_ref().size
    }

    /// What an error of [`Decompressor::reader`] means.
    pub(super) fn error(&self, error: io::Error) -> BatchError {
        let bounded = self.reader.get_ref();
        if bounded.size > bounded.size_max {
            return BatchError::DecompressedTooLarge {
                limit: bounded.size_max,
            };
        }
        BatchError::Decompress(error)
    }
}

/// A stream that ends in an error once it has given more than it may, or when bytes follow its frame.
pub(super) struct Bounded<'a> {
    stream: Stream<'a>,
    size: u64,
    size_max: u64,
    ended: bool,
}

impl Read for Bounded<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.ended {
            return Ok(0);
        }
        let size = self.stream.read(into)?;
        self.size += size as u64;
        if self.size > self.size_max {
            return Err(io::Error::other("the decompressed records are too large"));
        }
        if size == 0 && !into.is_empty() {
            self.ended = true;
            if !self.stream.unread().is_empty() {
                return Err(invalid("bytes follow the compressed records"));
            }
        }
        Ok(size)
    }
}

enum Stream<'a> {
    Plain(&'a [u8]),
    Gzip(Box<GzDecoder<&'a [u8]>>),
    Snappy(Snappy<'a>),
    Lz4(Box<lz4_flex::frame::FrameDecoder<&'a [u8]>>),
    Zstd(zstd::stream::read::Decoder<'static, &'a [u8]>),
}

impl<'a> Stream<'a> {
    fn new(codec: Codec, payload: &'a [u8]) -> io::Result<Self> {
        Ok(match codec {
            Codec::None => Stream::Plain(payload),
            Codec::Gzip => Stream::Gzip(Box::new(GzDecoder::new(payload))),
            Codec::Snappy => Stream::Snappy(Snappy::new(payload)),
            Codec::Lz4 => Stream::Lz4(Box::new(lz4_flex::frame::FrameDecoder::new(payload))),
            Codec::Zstd => {
                let mut decoder = zstd::stream::read::Decoder::with_buffer(payload)?.single_frame();
                decoder.window_log_max(ZSTD_WINDOW_LOG_MAX)?;
                Stream::Zstd(decoder)
            }
        })
    }

    /// Compressed bytes that were not looked at, once the stream has ended.
    fn unread(&self) -> &[u8] {
        match self {
            Stream::Plain(rest) => rest,
            Stream::Gzip(decoder) => decoder.get_ref(),
            Stream::Snappy(decoder) => decoder.rest,
            Stream::Lz4(decoder) => decoder.get_ref(),
            Stream::Zstd(decoder) => decoder.get_ref(),
        }
    }
}

impl Read for Stream<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Stream::Plain(rest) => rest.read(into),
            Stream::Gzip(decoder) => decoder.read(into),
            Stream::Snappy(decoder) => decoder.read(into),
            Stream::Lz4(decoder) => decoder.read(into),
            Stream::Zstd(decoder) => decoder.read(into),
        }
    }
}

/// Snappy, block by block.
struct Snappy<'a> {
    rest: &'a [u8],
    framed: bool,
    block: Vec<u8>,
    read: usize,
}

impl<'a> Snappy<'a> {
    fn new(payload: &'a [u8]) -> Self {
        // Like snappy-java, take what does not begin with the stream header for one bare block (librdkafka writes those).
        let framed = payload.len() >= XERIAL_HEADER_SIZE && payload.starts_with(&XERIAL_MAGIC);
        let rest = if framed {
            &payload[XERIAL_HEADER_SIZE..]
        } else {
            payload
        };
        Self {
            rest,
            framed,
            block: Vec::new(),
            read: 0,
        }
    }

    fn next_block(&mut self) -> io::Result<()> {
        let compressed = if self.framed {
            self.take_framed()?
        } else {
            std::mem::take(&mut self.rest)
        };
        let size = snap::raw::decompress_len(compressed)?;
        if size / SNAPPY_GROWTH_MAX > compressed.len() {
            return Err(invalid("a snappy block claims more than it can hold"));
        }
        self.block.resize(size, 0);
        self.read = 0;
        let written = snap::raw::Decoder::new().decompress(compressed, &mut self.block)?;
        self.block.truncate(written);
        Ok(())
    }

    fn take_framed(&mut self) -> io::Result<&'a [u8]> {
        let cut = || io::Error::from(io::ErrorKind::UnexpectedEof);
        let (size, rest) = self.rest.split_first_chunk::<4>().ok_or_else(cut)?;
        let size = u32::from_be_bytes(*size) as usize;
        let (compressed, rest) = rest.split_at_checked(size).ok_or_else(cut)?;
        self.rest = rest;
        Ok(compressed)
    }
}

impl Read for Snappy<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.read == self.block.len() && !self.rest.is_empty() {
            self.next_block()?;
        }
        let size = into.len().min(self.block.len() - self.read);
        into[..size].copy_from_slice(&self.block[self.read..][..size]);
        self.read += size;
        Ok(size)
    }
}

fn invalid(text: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decompress(codec: Codec, payload: &[u8], size_max: u64) -> Result<Vec<u8>, BatchError> {
        let mut decompressor = Decompressor::new(codec, payload, size_max)?;
        let mut out = Vec::new();
        match decompressor.reader().read_to_end(&mut out) {
            Ok(_) => Ok(out),
            Err(error) => Err(decompressor.error(error)),
        }
    }

    fn text(size: usize) -> Vec<u8> {
        (0..size).map(|index| (index / 7 % 251) as u8).collect()
    }

    #[test]
    fn every_codec_gives_back_what_it_took() {
        for codec in Codec::ALL {
            assert_eq!(Codec::from_bits(codec.bits()), Some(codec));
            for size in [0, 1, 100, 40_000, 300_000] {
                let payload = codec.compress(&text(size)).unwrap();
                let whole = decompress(codec, &payload, size as u64).unwrap();
                assert!(whole == text(size), "{codec:?} {size}");
            }
        }
        assert_eq!(Codec::from_bits(5), None);
    }

    #[test]
    fn a_bare_snappy_block_is_taken() {
        let payload = snap::raw::Encoder::new()
            .compress_vec(&text(90_000))
            .unwrap();
        assert!(decompress(Codec::Snappy, &payload, 90_000).unwrap() == text(90_000));
    }

    #[test]
    fn bombs_end_at_the_limit() {
        let zeros = vec![0; 8 << 20];
        for codec in [Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd] {
            let payload = codec.compress(&zeros).unwrap();
            let refused = decompress(codec, &payload, 1 << 20);
            assert!(
                matches!(
                    refused,
                    Err(BatchError::DecompressedTooLarge { limit: 1_048_576 })
                ),
                "{codec:?}"
            );
        }
    }

    #[test]
    fn a_snappy_block_cannot_claim_gigabytes() {
        let mut payload = Vec::new();
        crate::codec::varint::write(&mut payload, 0xf000_0000);
        payload.extend_from_slice(&[0; 100]);
        assert!(matches!(
            decompress(Codec::Snappy, &payload, u64::MAX),
            Err(BatchError::Decompress(_))
        ));
    }

    #[test]
    fn cut_or_doubled_frames_are_errors() {
        for codec in [Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd] {
            let payload = codec.compress(&text(1_000)).unwrap();
            let refused = decompress(codec, &payload[..payload.len() / 2], 1 << 20);
            assert!(
                matches!(refused, Err(BatchError::Decompress(_))),
                "{codec:?} cut"
            );
            let doubled = [payload.clone(), payload].concat();
            let refused = decompress(codec, &doubled, 1 << 20);
            assert!(
                matches!(refused, Err(BatchError::Decompress(_))),
                "{codec:?} doubled"
            );
        }
    }
}
