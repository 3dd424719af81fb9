//! Bytes as a socket would have them, for whoever receives straight into a mapping.

use std::collections::VecDeque;
use std::io;
use std::ops::Range;

use pagelog_os::Mapping;
use pagelog_os::receive::Incoming;

/// Bytes that have arrived, given out so many at a time at most.
#[derive(Debug, Clone)]
pub struct Arriving {
    bytes: VecDeque<u8>,
    at_once: usize,
    ended: bool,
}

impl Arriving {
    /// These bytes, `at_once` at a time; behind them nothing yet.
    #[must_use]
    pub fn new(bytes: &[u8], at_once: usize) -> Arriving {
        Arriving {
            bytes: bytes.iter().copied().collect(),
            at_once,
            ended: false,
        }
    }

    /// Behind the bytes is the end.
    #[must_use]
    pub fn ended(self) -> Arriving {
        Arriving {
            ended: true,
            ..self
        }
    }
}

impl Incoming for Arriving {
    fn receive_into(
        &mut self,
        memory: &Mapping,
        range: Range<usize>,
        behind: &mut [u8],
    ) -> io::Result<usize> {
        let count = self
            .bytes
            .len()
            .min(self.at_once)
            .min(range.len() + behind.len());
        if count == 0 && !self.ended {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let bytes: Vec<u8> = self.bytes.drain(..count).collect();
        let (inside, beyond) = bytes.split_at(count.min(range.len()));
        memory.copy_in(range.start, inside)?;
        behind[..beyond.len()].copy_from_slice(beyond);
        Ok(count)
    }
}
