//! The run of segments against a plain vector of bytes, with reopening among the operations.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use pagelog_segment::{Directory, Position, Segments, SegmentsOptions};
use proptest::prelude::*;

/// No multiple of a page or of a word.
const SIZE: u64 = 1_021;

#[derive(Debug, Clone)]
enum Operation {
    /// Writes bytes at the tail, by the descriptor or the mapping, rolling as needed.
    Append {
        size: usize,
        mapped: bool,
    },
    Reopen,
}

fn operation() -> impl Strategy<Value = Operation> {
    prop_oneof![
        8 => (1_usize..1_500, any::<bool>())
            .prop_map(|(size, mapped)| Operation::Append { size, mapped }),
        1 => Just(Operation::Reopen),
    ]
}

/// A log without entries: bytes behind a tail that the model remembers.
struct Tested {
    segments: Segments,
    model: Vec<u8>,
}

impl Tested {
    fn open(place: &Path, model: Vec<u8>) -> Tested {
        let directory = Directory::open(place).unwrap();
        let segments = Segments::open(Arc::new(directory), SegmentsOptions::of_size(SIZE)).unwrap();
        let tail_end = (model.len() as u64).next_multiple_of(SIZE);
        segments.start_ahead(Position(tail_end)).unwrap();
        Tested { segments, model }
    }

    fn append(&mut self, mut bytes: &[u8], mapped: bool) {
        while !bytes.is_empty() {
            let tail = Position(self.model.len() as u64);
            let Some(segment) = self.segments.find(tail) else {
                self.segments.wait_next(Duration::from_secs(120)).unwrap();
                assert_eq!(self.segments.take_next().unwrap().base(), tail);
                continue;
            };
            let at = segment.file_offset(tail);
            let fits = bytes.len().min((segment.end() - tail) as usize);
            if mapped {
                segment
                    .append_mapping()
                    .unwrap()
                    .copy_in(at as usize, &bytes[..fits])
                    .unwrap();
            } else {
                assert_eq!(segment.file().write_at(at, &bytes[..fits]).unwrap(), fits);
            }
            self.model.extend(&bytes[..fits]);
            bytes = &bytes[fits..];
        }
    }

    fn check(&self) {
        let mut stored = Vec::new();
        for segment in self.segments.snapshot().iter() {
            assert_eq!(segment.base().0, stored.len() as u64);
            let mut bytes = vec![0; SIZE as usize];
            segment.view().mapping().copy_out(0, &mut bytes).unwrap();
            stored.extend(bytes);
        }
        assert_eq!(stored[..self.model.len()], self.model);
        assert!(stored[self.model.len()..].iter().all(|byte| *byte == 0));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn bytes_are_where_their_positions_say(operations in prop::collection::vec(operation(), 1..12)) {
        let place = tempfile::tempdir().unwrap();
        let mut tested = Tested::open(place.path(), Vec::new());
        for (index, operation) in operations.into_iter().enumerate() {
            match operation {
                Operation::Append { size, mapped } => {
                    tested.append(&vec![index as u8 + 1; size], mapped);
                }
                Operation::Reopen => {
                    let Tested { segments, model } = tested;
                    drop(segments);
                    tested = Tested::open(place.path(), model);
                }
            }
            tested.check();
        }
    }
}
