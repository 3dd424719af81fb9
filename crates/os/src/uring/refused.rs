//! Why there is no io_uring: many kernels and most containers have none, which is a result like any other.

use std::io;

/// Why no ring was set up. Not fatal: whatever a ring does, other calls do as well.
#[derive(Debug, thiserror::Error)]
pub enum RingError {
    /// The kernel (before Linux 5.1, or built without) does not have it, or a filter of system calls says so.
    #[error("this kernel has no io_uring (Linux 5.1), or a filter says so: go on without")]
    Unsupported,
    /// A filter of system calls, or the setting `kernel.io_uring_disabled`, says no.
    #[error(
        "io_uring was refused ({0}): allow its calls in the filter of the container, and set kernel.io_uring_disabled to 0, \
         or go on without"
    )]
    Refused(#[source] io::Error),
    /// It is to be had, but not now or not so.
    #[error("no io_uring could be set up: {0}")]
    Io(#[source] io::Error),
}

impl RingError {
    pub(crate) fn of(error: io::Error) -> RingError {
        match error.raw_os_error() {
            Some(libc::ENOSYS) => RingError::Unsupported,
            Some(libc::EPERM | libc::EACCES) => RingError::Refused(error),
            _ => RingError::Io(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_kernel_a_refusal_and_a_want_of_memory_are_told_apart() {
        let of = |code| RingError::of(io::Error::from_raw_os_error(code));
        assert!(matches!(of(libc::ENOSYS), RingError::Unsupported));
        assert!(matches!(of(libc::EPERM), RingError::Refused(_)));
        assert!(matches!(of(libc::EACCES), RingError::Refused(_)));
        assert!(matches!(of(libc::ENOMEM), RingError::Io(_)));
        let text = of(libc::EPERM).to_string();
        assert!(text.contains("kernel.io_uring_disabled"), "{text}");
    }
}
