//! Polynomials over shared memory: blocks of bytes added up, each multiplied onward, by the processor's widest carry-less multiplication.
//!
//! A checksum is a remainder, so it can be told from a block that has the same remainder as all the bytes have together. To get there no byte
//! needs to leave the mapping but in a register. What the bytes mean, and what they are multiplied by, is the caller's business.
//!
//! # Safety
//!
//! The instructions read within a slice of words that is borrowed, and they are run where the processor says that it has them. To the language
//! they are as if they loaded each word by one relaxed atomic access, see `words`.
#![allow(unsafe_code)]

use std::sync::atomic::AtomicU64;

use crate::{Mapping, MemoryFault};

/// The size of a block, in bytes.
pub const FOLD_SIZE: usize = 256;

/// Whether this processor can fold: [`Mapping::fold_out`].
#[must_use]
#[inline]
pub fn can_fold() -> bool {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    return is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("vpclmulqdq");
    #[cfg(not(all(target_arch = "x86_64", not(miri))))]
    false
}

impl Mapping {
    /// Folds the bytes from `at` on, `count` blocks of [`FOLD_SIZE`], into `state`: it is added to the first block, and then, for each
    /// further one, multiplied and added to that. To add is to combine bit by bit (exclusive or).
    ///
    /// Multiplied is each run of 16 bytes by itself: its first eight, as a little-endian number, by the first of `multipliers`, its last
    /// eight by the second, carry-less, and the products are added. Without blocks `state` stays as it is.
    ///
    /// # Errors
    ///
    /// [`MemoryFault`] as [`Mapping::copy_out`]; then nothing is known of what `state` holds.
    ///
    /// # Panics
    ///
    /// When the range lies outside the mapping, or the processor cannot: [`can_fold`].
    pub fn fold_out(
        &self,
        at: usize,
        count: usize,
        multipliers: [u64; 2],
        state: &mut [u8; FOLD_SIZE],
    ) -> Result<(), MemoryFault> {
        assert!(can_fold(), "this processor has no instructions to fold by");
        let size = count.checked_mul(FOLD_SIZE);
        let end = size.and_then(|size| at.checked_add(size));
        self.check_range(&(at..end.unwrap_or(usize::MAX)));
        if count == 0 {
            return self.check_fault();
        }
        self.guarded(|| fold(self.words(), at, count, multipliers, state))
    }
}

/// There is at least one block.
#[cfg(all(target_arch = "x86_64", not(miri)))]
fn fold(
    words: &[AtomicU64],
    at: usize,
    count: usize,
    multipliers: [u64; 2],
    state: &mut [u8; FOLD_SIZE],
) {
    let end = at + count * FOLD_SIZE;
    assert!(count > 0 && end <= size_of_val(words) && can_fold());
    // SAFETY: the processor has the instructions, the range lies in `words`, whose memory may be read while it is shared, and `state` is
    // borrowed alone.
    unsafe {
        let from = words.as_ptr().cast::<u8>().wrapping_add(at);
        fold_by_registers(from, count, multipliers.as_ptr(), state.as_mut_ptr());
    }
}

#[cfg(not(all(target_arch = "x86_64", not(miri))))]
fn fold(_: &[AtomicU64], _: usize, _: usize, _: [u64; 2], _: &mut [u8; FOLD_SIZE]) {
    unreachable!("nobody asks where it cannot be done");
}

/// Four registers hold the state; each line multiplies one of them and adds both products and the next bytes to it.
///
/// # Safety
///
/// From `from` on there are `count` blocks, at least one, that may be read; two words at `multipliers`; a block at `state` that nobody else
/// reaches.
#[cfg(all(target_arch = "x86_64", not(miri)))]
#[target_feature(enable = "avx512f,vpclmulqdq")]
unsafe fn fold_by_registers(
    from: *const u8,
    count: usize,
    multipliers: *const u64,
    state: *mut u8,
) {
    // SAFETY: what is read and written is what the caller vouches for; the registers are named as changed.
    unsafe {
        std::arch::asm!(
            "vmovdqu64 zmm16, [{state}]",
            "vmovdqu64 zmm17, [{state} + 64]",
            "vmovdqu64 zmm18, [{state} + 128]",
            "vmovdqu64 zmm19, [{state} + 192]",
            "vbroadcasti32x4 zmm20, [{multipliers}]",
            "vpxorq zmm16, zmm16, [{from}]",
            "vpxorq zmm17, zmm17, [{from} + 64]",
            "vpxorq zmm18, zmm18, [{from} + 128]",
            "vpxorq zmm19, zmm19, [{from} + 192]",
            "dec {count}",
            "jz 3f",
            "2:",
            "add {from}, 256",
            "vpclmulqdq zmm21, zmm16, zmm20, 0x00",
            "vpclmulqdq zmm22, zmm17, zmm20, 0x00",
            "vpclmulqdq zmm23, zmm18, zmm20, 0x00",
            "vpclmulqdq zmm24, zmm19, zmm20, 0x00",
            "vpclmulqdq zmm16, zmm16, zmm20, 0x11",
            "vpclmulqdq zmm17, zmm17, zmm20, 0x11",
            "vpclmulqdq zmm18, zmm18, zmm20, 0x11",
            "vpclmulqdq zmm19, zmm19, zmm20, 0x11",
            "vpternlogq zmm16, zmm21, [{from}], 0x96",
            "vpternlogq zmm17, zmm22, [{from} + 64], 0x96",
            "vpternlogq zmm18, zmm23, [{from} + 128], 0x96",
            "vpternlogq zmm19, zmm24, [{from} + 192], 0x96",
            "dec {count}",
            "jnz 2b",
            "3:",
            "vmovdqu64 [{state}], zmm16",
            "vmovdqu64 [{state} + 64], zmm17",
            "vmovdqu64 [{state} + 128], zmm18",
            "vmovdqu64 [{state} + 192], zmm19",
            from = inout(reg) from => _,
            count = inout(reg) count => _,
            multipliers = in(reg) multipliers,
            state = in(reg) state,
            out("zmm16") _, out("zmm17") _, out("zmm18") _, out("zmm19") _, out("zmm20") _,
            out("zmm21") _, out("zmm22") _, out("zmm23") _, out("zmm24") _,
            options(nostack)
        );
    }
}
