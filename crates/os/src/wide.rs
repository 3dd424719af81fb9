//! Stores of 32 bytes into shared memory, where the processor has them: a store by words fills the processor's store
//! buffer with eight times as many, and then nothing goes on before the memory has taken them in.
//!
//! Either through the caches, or past them: then no line is read from the memory before it is written over,
//! nor takes the place of another one that is in use. Those are not kept in order with other stores, so they end with a fence.
//!
//! # Safety
//!
//! Who has a [`Wide`] knows that the processor has the instructions. They write within a slice of words that is
//! borrowed, as the head of `words` says, and read bytes that are borrowed. The direction flag is not used, nor the stack.
#![allow(unsafe_code)]

use std::arch::asm;
use std::sync::atomic::AtomicU64;

use crate::words::{LINE, LINE_SIZE, WORD};

/// The processor has AVX, and the system keeps its registers.
#[derive(Clone, Copy)]
pub(crate) struct Wide(());

impl Wide {
    #[inline]
    pub(crate) fn detect() -> Option<Wide> {
        std::arch::is_x86_feature_detected!("avx").then_some(Wide(()))
    }

    /// Stores `lines` from the first of `words` on. `vmovdqu`.
    ///
    /// # Panics
    ///
    /// When there are fewer words.
    #[inline]
    pub(crate) fn store(self, words: &[AtomicU64], lines: &[[u8; LINE_SIZE]]) {
        let words = &words[..lines.len() * LINE];
        if lines.is_empty() {
            return;
        }
        // SAFETY: `words` are as many as `lines` hold, and may be stored into while they are shared. `self` says that the
        // instructions are there. All registers that they change are among those that a C function may.
        unsafe {
            asm!(
                "2:",
                "vmovdqu ymm0, [rsi]",
                "vmovdqu ymm1, [rsi + 32]",
                "vmovdqu [rdi], ymm0",
                "vmovdqu [rdi + 32], ymm1",
                "add rsi, 64",
                "add rdi, 64",
                "dec rcx",
                "jnz 2b",
                "vzeroupper",
                inout("rsi") lines.as_ptr() => _,
                inout("rdi") words.as_ptr() => _,
                inout("rcx") lines.len() => _,
                clobber_abi("C"),
                options(nostack)
            );
        }
    }

    /// Stores `lines` from the first of `words` on, past the caches. `vmovntdq`, and `sfence` behind the last: what is stored later
    /// is not seen before.
    ///
    /// # Panics
    ///
    /// When there are fewer words, or they do not begin with a cache line.
    #[inline]
    pub(crate) fn store_past_caches(self, words: &[AtomicU64], lines: &[[u8; LINE_SIZE]]) {
        let words = &words[..lines.len() * LINE];
        assert!(words.as_ptr().addr().is_multiple_of(LINE_SIZE));
        if lines.is_empty() {
            return;
        }
        // SAFETY: as in `store`; the words begin where the instruction wants them to. The fence orders the stores, which the
        // language knows nothing of, before all that follow, which is what it takes for granted of stores.
        unsafe {
            asm!(
                "2:",
                "vmovdqu ymm0, [rsi]",
                "vmovdqu ymm1, [rsi + 32]",
                "vmovntdq [rdi], ymm0",
                "vmovntdq [rdi + 32], ymm1",
                "add rsi, 64",
                "add rdi, 64",
                "dec rcx",
                "jnz 2b",
                "sfence",
                "vzeroupper",
                inout("rsi") lines.as_ptr() => _,
                inout("rdi") words.as_ptr() => _,
                inout("rcx") lines.len() => _,
                clobber_abi("C"),
                options(nostack)
            );
        }
    }
}

const _: () = assert!(LINE_SIZE == LINE * WORD && LINE_SIZE == 64);
