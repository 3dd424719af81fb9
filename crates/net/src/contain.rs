//! A panic in a handler is a bug, and costs the connection that met it, not the thread that serves thousands.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs `call`; `None` if it panicked (the panic hook has told of it).
///
/// Whatever `call` borrows is dropped or never called again afterwards: that is what makes the assertion hold.
pub(crate) fn contain<T>(call: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(call)).ok()
}
