//! A send that refers to pages of a mapping: `MSG_ZEROCOPY`.

use std::io::Read;
use std::os::fd::AsFd;

use pagelog_os::{Mapping, MemoryFault, zero_copy};

use super::pair::pair;

/// As the kernel has it: the flag alone does nothing.
#[test]
fn a_socket_that_was_not_switched_copies_and_completes_nothing() {
    let (to, mut from) = pair();
    let memory = Mapping::anonymous(10).unwrap();
    memory.copy_in(0, b"0123456789").unwrap();
    assert_eq!(zero_copy::send(to.as_fd(), &memory, 2..10).unwrap(), 8);
    assert_eq!(zero_copy::completion(to.as_fd()).unwrap(), None);
    drop(to);
    let mut read = Vec::new();
    from.read_to_end(&mut read).unwrap();
    assert_eq!(read, b"23456789");
}

#[test]
fn a_mapping_that_has_faulted_is_not_sent() {
    let (to, _from) = pair();
    let file = tempfile::tempfile().unwrap();
    file.set_len(100).unwrap();
    let memory = Mapping::shared(&file, 100).unwrap();
    file.set_len(0).unwrap();
    assert_eq!(memory.copy_out(0, &mut [0]), Err(MemoryFault));
    let error = zero_copy::send(to.as_fd(), &memory, 0..100).unwrap_err();
    assert!(
        error
            .get_ref()
            .is_some_and(|inner| inner.is::<MemoryFault>())
    );
}

#[test]
#[should_panic(expected = "of a mapping of 100")]
fn a_range_outside_panics() {
    let (to, _from) = pair();
    let _ = zero_copy::send(to.as_fd(), &Mapping::anonymous(100).unwrap(), 50..101);
}
