//! Filters of system calls: one that refuses io_uring, as those of many containers do, one that refuses the calls that move bytes within
//! the kernel, and one that starves sends without copying.
#![allow(unsafe_code)]

use std::io;

/// The system call's number, in `struct seccomp_data`.
const NUMBER_AT: u32 = 0;

/// `io_uring_setup`, `io_uring_enter`, `io_uring_register`: the same numbers on every architecture.
const IO_URING_CALLS: [u32; 3] = [425, 426, 427];

/// The low half of the third argument, in `struct seccomp_data`.
#[cfg(target_endian = "little")]
const THIRD_ARGUMENT_AT: u32 = 32;

/// The same.
#[cfg(target_endian = "big")]
const THIRD_ARGUMENT_AT: u32 = 36;

/// `int prctl(PR_SET_NO_NEW_PRIVS, 1, …)` and `int prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, …)`: from now on
/// the calls of io_uring fail with `EPERM`, for the calling thread and for all threads and processes that it starts.
///
/// It cannot be taken back. For tests of what has to work without it.
///
/// Differs from the calls in that the program is given: it allows all else.
///
/// Safe, since the kernel copies the program, and refuses one that is none.
///
/// # Errors
///
/// `EINVAL` where the kernel has no filters. man 2 seccomp.
pub fn refuse_io_uring() -> io::Result<()> {
    refuse(IO_URING_CALLS)
}

/// `int prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, …)` as [`refuse_io_uring`], for `copy_file_range`, `sendfile` and `splice`.
///
/// Differs from the calls as that does.
///
/// Safe, as that is.
///
/// # Errors
///
/// As [`refuse_io_uring`]. man 2 seccomp.
pub fn refuse_moves() -> io::Result<()> {
    refuse(
        [
            libc::SYS_copy_file_range,
            libc::SYS_sendfile,
            libc::SYS_splice,
        ]
        .map(|call| call as u32),
    )
}

/// From now on these calls fail with `EPERM`.
fn refuse(calls: [u32; 3]) -> io::Result<()> {
    let mut program = vec![load(NUMBER_AT)];
    for (index, number) in (0_u8..).zip(calls) {
        // To the last statement, or on.
        let refuse = (calls.len() as u8) - index;
        program.push(jump(libc::BPF_JEQ, number, (refuse, 0)));
    }
    program.push(give(libc::SECCOMP_RET_ALLOW));
    program.push(give(libc::SECCOMP_RET_ERRNO | libc::EPERM as u32));
    install(&mut program)
}

/// `int prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, …)` as [`refuse_io_uring`], for `sendmsg` with `MSG_ZEROCOPY`, which from now on
/// fails with `ENOBUFS`: as if all memory that a socket may use for what is not completed were used up.
///
/// Differs from what a full socket does in that it never ends.
///
/// Safe, as that is.
///
/// # Errors
///
/// As [`refuse_io_uring`]. man 2 seccomp.
pub fn starve_zero_copy() -> io::Result<()> {
    install(&mut [
        load(NUMBER_AT),
        jump(libc::BPF_JEQ, libc::SYS_sendmsg as u32, (0, 2)),
        load(THIRD_ARGUMENT_AT),
        jump(libc::BPF_JSET, libc::MSG_ZEROCOPY as u32, (1, 0)),
        give(libc::SECCOMP_RET_ALLOW),
        give(libc::SECCOMP_RET_ERRNO | libc::ENOBUFS as u32),
    ])
}

fn load(at: u32) -> libc::sock_filter {
    statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, at)
}

fn give(value: u32) -> libc::sock_filter {
    statement(libc::BPF_RET | libc::BPF_K, value)
}

/// Compares what was loaded with `value`, and goes on so many statements further, where it holds and where not.
fn jump(comparison: u32, value: u32, (holds, not): (u8, u8)) -> libc::sock_filter {
    libc::sock_filter {
        code: (libc::BPF_JMP | comparison | libc::BPF_K) as u16,
        jt: holds,
        jf: not,
        k: value,
    }
}

fn statement(code: u32, value: u32) -> libc::sock_filter {
    libc::sock_filter {
        code: code as u16,
        jt: 0,
        jf: 0,
        k: value,
    }
}

fn install(program: &mut [libc::sock_filter]) -> io::Result<()> {
    // SAFETY: the call takes numbers alone.
    let result = unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    let program = libc::sock_fprog {
        len: program.len() as u16,
        filter: program.as_mut_ptr(),
    };
    let mode = libc::SECCOMP_MODE_FILTER;
    // SAFETY: the program lives through the call, which copies it.
    let result = unsafe { libc::prctl(libc::PR_SET_SECCOMP, mode, &raw const program) };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}
