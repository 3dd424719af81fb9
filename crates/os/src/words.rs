//! Copies between plain bytes and shared memory, in words.
//!
//! Every access to the shared side is one relaxed atomic access of one aligned word of eight
//! bytes, never of fewer: two threads (or a thread and the kernel) that meet on a word see old or
//! new bytes, and nothing about it is undefined, accesses of different sizes included. A copy that
//! starts or ends inside a word replaces its own bytes of that word by a compare-and-swap and
//! leaves the neighbour's alone.
//!
//! Long copies are made by wider instructions where there are some: a string instruction out, stores of
//! 32 bytes in. To the language it is as if they accessed each word they touch by such an access,
//! perhaps several times, so that a word that changes meanwhile may come out with bytes of different
//! ages, as two words may, and one that two copies store into may hold bytes of both.
//!
//! # Safety
//!
//! The instructions read and write within a slice of words that is borrowed, and within bytes that are
//! borrowed (alone, where they write).
#![allow(unsafe_code)]

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

#[cfg(all(target_arch = "x86_64", not(miri)))]
use crate::wide::Wide;

/// The size in bytes of the unit of access.
pub(crate) const WORD: usize = size_of::<u64>();

/// From so many bytes on a string instruction is worth its start.
#[cfg(all(target_arch = "x86_64", not(miri)))]
const STRING_SIZE_MIN: usize = 512;

/// From so many words on wider stores are worth their start.
#[cfg(all(target_arch = "x86_64", not(miri)))]
const WIDE_COUNT_MIN: usize = 2 * LINE;

/// Words that are moved per turn of the inner loop: a cache line.
pub(crate) const LINE: usize = 8;

/// The size in bytes of a cache line.
#[cfg(all(target_arch = "x86_64", not(miri)))]
pub(crate) const LINE_SIZE: usize = LINE * WORD;

/// Copies `bytes` to byte `at` of `words`.
///
/// # Panics
///
/// When the range does not lie in `words`.
pub(crate) fn copy_in(words: &[AtomicU64], at: usize, bytes: &[u8]) {
    let (shift, mut index) = (at % WORD, at / WORD);
    let head_size = if shift == 0 {
        0
    } else {
        bytes.len().min(WORD - shift)
    };
    let (head, bytes) = bytes.split_at(head_size);
    if !head.is_empty() {
        merge(&words[index], shift, head);
        index += 1;
    }
    let (whole, tail) = bytes.as_chunks::<WORD>();
    store_words(&words[index..index + whole.len()], whole);
    if !tail.is_empty() {
        merge(&words[index + whole.len()], 0, tail);
    }
}

/// Copies `bytes` to byte `at` of `words` past the caches, but for what lies in the first and the last line of it.
/// What it has stored is seen before anything that is stored after it.
///
/// # Panics
///
/// When the range does not lie in `words`.
pub(crate) fn copy_in_past_caches(words: &[AtomicU64], at: usize, bytes: &[u8]) {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    if let Some(wide) = Wide::detect() {
        let begin = words.as_ptr().addr().wrapping_add(at);
        let head_size = begin.next_multiple_of(LINE_SIZE) - begin;
        let (head, rest) = bytes.split_at(bytes.len().min(head_size));
        let (lines, tail) = rest.as_chunks();
        copy_in(words, at, head);
        let at = at + head.len();
        // Where there are lines they begin with a word.
        if !lines.is_empty() {
            wide.store_past_caches(&words[at / WORD..], lines);
        }
        return copy_in(words, at + lines.as_flattened().len(), tail);
    }
    copy_in(words, at, bytes);
}

/// Fills `into` from byte `at` of `words`.
///
/// # Panics
///
/// When the range does not lie in `words`.
pub(crate) fn copy_out(words: &[AtomicU64], at: usize, into: &mut [u8]) {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    if into.len() >= STRING_SIZE_MIN {
        return string_copy_out(words, at, into);
    }
    let (shift, mut index) = (at % WORD, at / WORD);
    let head_size = if shift == 0 {
        0
    } else {
        into.len().min(WORD - shift)
    };
    let (head, into) = into.split_at_mut(head_size);
    if !head.is_empty() {
        head.copy_from_slice(&load(&words[index])[shift..shift + head_size]);
        index += 1;
    }
    let (whole, tail) = into.as_chunks_mut::<WORD>();
    load_words(&words[index..index + whole.len()], whole);
    if !tail.is_empty() {
        let tail_size = tail.len();
        tail.copy_from_slice(&load(&words[index + whole.len()])[..tail_size]);
    }
}

/// `rep movsb`, which processors with fast strings do a cache line or half of one at a time.
#[cfg(all(target_arch = "x86_64", not(miri)))]
fn string_copy_out(words: &[AtomicU64], at: usize, into: &mut [u8]) {
    let end = at.checked_add(into.len());
    assert!(
        end.is_some_and(|end| end <= size_of_val(words)),
        "{} bytes at {at} of {} words",
        into.len(),
        words.len()
    );
    // SAFETY: the range lies in `words`, whose memory may be read while it is shared, and `into` is borrowed alone. What others change
    // meanwhile is read as the file's head says. The direction flag is clear, as everywhere between instructions of the language.
    unsafe {
        std::arch::asm!(
            "rep movsb",
            inout("rcx") into.len() => _,
            inout("rsi") words.as_ptr().cast::<u8>().wrapping_add(at) => _,
            inout("rdi") into.as_mut_ptr() => _,
            options(nostack, preserves_flags)
        );
    }
}

/// Loads `word` and drops what it holds: enough to bring its page in.
pub(crate) fn touch(word: &AtomicU64) {
    std::hint::black_box(word.load(Relaxed));
}

/// Stores into `word` what it holds, in one step, so that whoever changes it at the same time loses
/// nothing. A compare-and-swap and not an addition of zero, which a compiler may turn into a load.
pub(crate) fn touch_by_store(word: &AtomicU64) {
    let mut held = word.load(Relaxed);
    while let Err(seen) = word.compare_exchange_weak(held, held, Relaxed, Relaxed) {
        held = seen;
    }
}

/// Stores whole words, a cache line per turn so that the loop's own cost disappears.
fn store_words(words: &[AtomicU64], from: &[[u8; WORD]]) {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    if from.len() >= WIDE_COUNT_MIN
        && let Some(wide) = Wide::detect()
    {
        let (lines, _) = from.as_flattened().as_chunks();
        wide.store(words, lines);
        let stored = lines.len() * LINE;
        return store_each(&words[stored..], &from[stored..]);
    }
    store_each(words, from);
}

/// As [`store_words`], one by one.
fn store_each(words: &[AtomicU64], from: &[[u8; WORD]]) {
    let (word_lines, word_rest) = words.as_chunks::<LINE>();
    let (from_lines, from_rest) = from.as_chunks::<LINE>();
    for (line, bytes) in word_lines.iter().zip(from_lines) {
        for slot in 0..LINE {
            store(&line[slot], bytes[slot]);
        }
    }
    for (word, bytes) in word_rest.iter().zip(from_rest) {
        store(word, *bytes);
    }
}

/// Loads whole words, a cache line per turn.
fn load_words(words: &[AtomicU64], into: &mut [[u8; WORD]]) {
    let (word_lines, word_rest) = words.as_chunks::<LINE>();
    let (into_lines, into_rest) = into.as_chunks_mut::<LINE>();
    for (line, bytes) in word_lines.iter().zip(into_lines) {
        for slot in 0..LINE {
            bytes[slot] = load(&line[slot]);
        }
    }
    for (word, bytes) in word_rest.iter().zip(into_rest) {
        *bytes = load(word);
    }
}

/// Stores the eight bytes of one word, in memory order on any host.
#[inline]
fn store(word: &AtomicU64, bytes: [u8; WORD]) {
    word.store(u64::from_le_bytes(bytes).to_le(), Relaxed);
}

/// Loads the eight bytes of one word, in memory order on any host.
#[inline]
fn load(word: &AtomicU64) -> [u8; WORD] {
    u64::from_le(word.load(Relaxed)).to_le_bytes()
}

/// Replaces the bytes of `word` that begin at `shift`, leaving its others to whoever owns them.
fn merge(word: &AtomicU64, shift: usize, bytes: &[u8]) {
    let mut value = [0; WORD];
    let mut mask = [0; WORD];
    value[shift..shift + bytes.len()].copy_from_slice(bytes);
    mask[shift..shift + bytes.len()].fill(0xff);
    let value = u64::from_le_bytes(value).to_le();
    let mask = u64::from_le_bytes(mask).to_le();
    let mut old = word.load(Relaxed);
    while let Err(seen) = word.compare_exchange_weak(old, old & !mask | value, Relaxed, Relaxed) {
        old = seen;
    }
}
