//! Where a reactor keeps its connections, and the numbers by which others name them.

use crate::connection::Connection;

/// Names one connection; never another that took its slot later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Key {
    pub(crate) slot: u32,
    generation: u32,
}

impl Key {
    /// As it travels through epoll.
    pub(crate) fn to_u64(self) -> u64 {
        u64::from(self.generation) << 32 | u64::from(self.slot)
    }

    pub(crate) fn from_u64(bits: u64) -> Key {
        Key {
            slot: bits as u32,
            generation: (bits >> 32) as u32,
        }
    }
}

/// Names one answer: the slot of its connection and its number there. Numbers go on where the slot's
/// last connection ended, so that a late notice finds nothing rather than another's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) slot: u32,
    pub(crate) sequence: u32,
}

impl Token {
    pub(crate) fn to_u64(self) -> u64 {
        u64::from(self.slot) << 32 | u64::from(self.sequence)
    }

    pub(crate) fn from_u64(bits: u64) -> Token {
        Token {
            slot: (bits >> 32) as u32,
            sequence: bits as u32,
        }
    }
}

/// The connections of one reactor.
#[derive(Default)]
pub(crate) struct Slots {
    entries: Vec<Entry>,
    free: Vec<u32>,
}

#[derive(Default)]
struct Entry {
    generation: u32,
    next_sequence: u32,
    connection: Option<Box<Connection>>,
}

impl Slots {
    pub(crate) fn is_empty(&self) -> bool {
        self.entries.len() == self.free.len()
    }

    pub(crate) fn count(&self) -> usize {
        self.entries.len() - self.free.len()
    }

    /// Takes in what `make` builds from its key and its first answer's number.
    pub(crate) fn insert(&mut self, make: impl FnOnce(Key, u32) -> Connection) -> &mut Connection {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.entries.push(Entry::default());
            // Each has a descriptor, so there are far fewer than 2^32.
            (self.entries.len() - 1) as u32
        });
        let entry = &mut self.entries[slot as usize];
        entry.generation = entry.generation.wrapping_add(1);
        let key = Key {
            slot,
            generation: entry.generation,
        };
        entry
            .connection
            .insert(Box::new(make(key, entry.next_sequence)))
    }

    pub(crate) fn get_mut(&mut self, key: Key) -> Option<&mut Connection> {
        let entry = self.entries.get_mut(key.slot as usize)?;
        if entry.generation != key.generation {
            return None;
        }
        entry.connection.as_deref_mut()
    }

    pub(crate) fn at_mut(&mut self, slot: u32) -> Option<&mut Connection> {
        self.entries
            .get_mut(slot as usize)?
            .connection
            .as_deref_mut()
    }

    pub(crate) fn remove(&mut self, key: Key) -> Option<Box<Connection>> {
        self.get_mut(key)?;
        let entry = &mut self.entries[key.slot as usize];
        let connection = entry.connection.take()?;
        entry.next_sequence = connection.next_token().sequence;
        self.free.push(key.slot);
        Some(connection)
    }

    /// The keys of all connections.
    pub(crate) fn keys(&self) -> Vec<Key> {
        let occupied = self
            .entries
            .iter()
            .enumerate()
            .filter(|(_, entry)| entry.connection.is_some());
        occupied
            .map(|(slot, entry)| Key {
                slot: slot as u32,
                generation: entry.generation,
            })
            .collect()
    }
}
