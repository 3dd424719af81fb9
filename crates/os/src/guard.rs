//! The guard that turns `SIGBUS` inside a copy into an error.
//!
//! The kernel answers an access to a mapped page that it cannot provide (the file was truncated,
//! the sector is bad) with `SIGBUS`, whose default action kills the process. While a thread copies
//! from or to a file mapping it has that range *watched*: the handler marks the mapping as faulted,
//! puts an anonymous page in the place of the bad one, and returns, so that the copy runs to its
//! end and then finds the mark. Any other `SIGBUS` takes the action that was installed before
//! (Rust's own handler, a host program's, or the default death).
//!
//! # Safety
//!
//! The handler calls only what is safe in a signal handler: atomics, `mmap`, `sigaction`, `raise`.
//! It dereferences one pointer, to the mark, which lives as long as the [`Watch`] that set it.
#![allow(unsafe_code)]

use std::cell::Cell;
use std::ffi::{c_int, c_void};
use std::io;
use std::marker::PhantomData;
use std::ops::Range;
use std::ptr;
use std::sync::OnceLock;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize, compiler_fence};

use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous};

/// What the current thread is copying; an empty range when it is not.
struct Watched {
    begin: AtomicUsize,
    end: AtomicUsize,
    mark: AtomicPtr<AtomicBool>,
}

thread_local! {
    // Constant and without a destructor: reading it in a signal handler neither allocates nor
    // registers anything.
    static WATCHED: Watched = const {
        Watched {
            begin: AtomicUsize::new(0),
            end: AtomicUsize::new(0),
            mark: AtomicPtr::new(ptr::null_mut()),
        }
    };
}

/// The action for `SIGBUS` that was in force before ours.
static PREVIOUS: OnceLock<libc::sigaction> = OnceLock::new();

/// Has the copy of the current thread watched until it is dropped. Not nested.
pub(crate) struct Watch<'a> {
    /// The mark must outlive the watch, and the watch must stay on its thread.
    mark: PhantomData<(&'a AtomicBool, Cell<*const ()>)>,
}

impl<'a> Watch<'a> {
    /// Watches the addresses `memory`; `mark` becomes true when one of them faults.
    #[inline]
    pub(crate) fn begin(memory: &Range<usize>, mark: &'a AtomicBool) -> Watch<'a> {
        WATCHED.with(|watched| {
            watched.mark.store(ptr::from_ref(mark).cast_mut(), Relaxed);
            watched.begin.store(memory.start, Relaxed);
            watched.end.store(memory.end, Relaxed);
        });
        // The handler runs on this thread, so the compiler's order is the only one to hold.
        compiler_fence(SeqCst);
        Watch { mark: PhantomData }
    }
}

impl Drop for Watch<'_> {
    #[inline]
    fn drop(&mut self) {
        compiler_fence(SeqCst);
        WATCHED.with(|watched| watched.end.store(0, Relaxed));
    }
}

/// Installs the handler, once in the life of the process.
///
/// `int sigaction(int, const struct sigaction *, struct sigaction *)`, man 2 sigaction. Whoever
/// installs another handler later takes ours out of force; then a fault in a copy does what theirs
/// does.
pub(crate) fn install() -> io::Result<()> {
    static INSTALLED: OnceLock<Option<c_int>> = OnceLock::new();
    let error = INSTALLED.get_or_init(|| {
        // Asked for now, so that the handler finds it known.
        let _ = rustix::param::page_size();
        let result = keep_previous().and_then(|()| set_action(&our_action()));
        result
            .err()
            .map(|error| error.raw_os_error().unwrap_or(libc::EINVAL))
    });
    match error {
        None => Ok(()),
        Some(code) => Err(io::Error::from_raw_os_error(*code)),
    }
}

/// Reads the action in force into [`PREVIOUS`], before ours can run and want it.
fn keep_previous() -> io::Result<()> {
    let mut previous = default_action();
    // SAFETY: a null new action only reads; `previous` is a valid place for the old one.
    let result = unsafe { libc::sigaction(libc::SIGBUS, ptr::null(), &raw mut previous) };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    let _ = PREVIOUS.set(previous);
    Ok(())
}

fn set_action(action: &libc::sigaction) -> io::Result<()> {
    // SAFETY: `action` is initialised in full and its handler is one that may run in a signal.
    let result = unsafe { libc::sigaction(libc::SIGBUS, action, ptr::null_mut()) };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

fn default_action() -> libc::sigaction {
    // SAFETY: all zeros is a valid `sigaction`: SIG_DFL, no flags, an empty mask.
    unsafe { std::mem::zeroed() }
}

fn our_action() -> libc::sigaction {
    let mut action = default_action();
    let handler: extern "C" fn(c_int, *mut libc::siginfo_t, *mut c_void) = on_bus_error;
    action.sa_sigaction = handler as libc::sighandler_t;
    action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
    action
}

extern "C" fn on_bus_error(signal: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
    // SAFETY: the kernel passes a valid siginfo to a handler installed with SA_SIGINFO.
    let details = unsafe { &*info };
    if details.si_code > 0 {
        // SAFETY: a SIGBUS raised by the kernel carries the faulting address.
        let address = unsafe { details.si_addr() }.addr();
        if stands_in(address) {
            return;
        }
    }
    act_as_before(signal, details.si_code, info, context);
}

/// Marks the watched mapping and replaces the bad page; false when `address` is not watched.
fn stands_in(address: usize) -> bool {
    let mark = WATCHED.with(|watched| {
        let memory = watched.begin.load(Relaxed)..watched.end.load(Relaxed);
        memory
            .contains(&address)
            .then(|| watched.mark.load(Relaxed))
    });
    let Some(mark) = mark else { return false };
    // SAFETY: the watch of this thread is alive, and borrows its mark for as long.
    let mark = unsafe { &*mark };
    // First the mark, then the page: who reads zeros of the page finds the mark set.
    mark.store(true, SeqCst);
    let page_size = rustix::param::page_size();
    let page = ptr::without_provenance_mut::<c_void>(address & !(page_size - 1));
    let access = ProtFlags::READ | ProtFlags::WRITE;
    let flags = MapFlags::PRIVATE | MapFlags::FIXED;
    // SAFETY: the page belongs to the mapping that this thread is copying from or to, nobody holds
    // a plain reference to its memory, and its owner unmaps it with the rest.
    unsafe { mmap_anonymous(page, page_size, access, flags) }.is_ok()
}

/// Does what would have been done without this handler.
fn act_as_before(signal: c_int, code: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
    let previous = PREVIOUS.get().copied().unwrap_or_else(default_action);
    match previous.sa_sigaction {
        libc::SIG_IGN if code <= 0 => {}
        libc::SIG_DFL | libc::SIG_IGN => die_by_default(signal, code),
        handler if previous.sa_flags & libc::SA_SIGINFO != 0 => {
            // SAFETY: with SA_SIGINFO the kernel took this very address for a function of this type.
            let handler = unsafe {
                std::mem::transmute::<
                    libc::sighandler_t,
                    extern "C" fn(c_int, *mut libc::siginfo_t, *mut c_void),
                >(handler)
            };
            handler(signal, info, context);
        }
        handler => {
            // SAFETY: without SA_SIGINFO the kernel took this very address for a function of this type.
            let handler =
                unsafe { std::mem::transmute::<libc::sighandler_t, extern "C" fn(c_int)>(handler) };
            handler(signal);
        }
    }
}

/// Restores the default action: returning repeats the faulting instruction, which then kills. A
/// signal that was sent is not repeated, so it is raised again.
fn die_by_default(signal: c_int, code: c_int) {
    let _ = set_action(&default_action());
    if code <= 0 {
        // SAFETY: raising a signal at this thread has no requirement.
        unsafe { libc::raise(signal) };
    }
}
