//! A filter of system calls that refuses io_uring, as that of many containers does.
#![allow(unsafe_code)]

use std::io;

/// The system call's number, in `struct seccomp_data`.
const NUMBER_AT: u32 = 0;

/// `io_uring_setup`, `io_uring_enter`, `io_uring_register`: the same numbers on every architecture.
const IO_URING_CALLS: [u32; 3] = [425, 426, 427];

/// `prctl(PR_SET_NO_NEW_PRIVS, 1, …)` and `prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, …)`: from now on
/// the calls of io_uring fail with `EPERM`, for the calling thread and for all threads and processes that it starts.
///
/// It cannot be taken back. For tests of what has to work without it.
///
/// # Errors
///
/// `EINVAL` where the kernel has no filters. man 2 seccomp.
pub fn refuse_io_uring() -> io::Result<()> {
    let refused = libc::SECCOMP_RET_ERRNO | libc::EPERM as u32;
    let mut program = vec![statement(
        libc::BPF_LD | libc::BPF_W | libc::BPF_ABS,
        NUMBER_AT,
    )];
    for (index, number) in (0_u8..).zip(IO_URING_CALLS) {
        // To the last statement but one, or on.
        let refuse = (IO_URING_CALLS.len() as u8) - index;
        let code = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
        program.push(libc::sock_filter {
            code,
            jt: refuse,
            jf: 0,
            k: number,
        });
    }
    program.push(statement(
        libc::BPF_RET | libc::BPF_K,
        libc::SECCOMP_RET_ALLOW,
    ));
    program.push(statement(libc::BPF_RET | libc::BPF_K, refused));
    install(&mut program)
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
