//! Memory without a file's name that a child shares: `memfd_create`.

use pagelog_os::Mapping;

#[test]
fn shared_anonymous_memory_begins_as_zeros_and_keeps_what_is_copied_in() {
    let memory = Mapping::anonymous_shared(10_000).unwrap();
    memory.copy_in(9_000, b"kept").unwrap();
    let mut read = vec![1; 10_000];
    memory.copy_out(0, &mut read).unwrap();
    assert_eq!(&read[9_000..9_004], b"kept");
    assert!(read[..9_000].iter().all(|byte| *byte == 0));
    assert_eq!(Mapping::anonymous_shared(0).unwrap().size(), 0);
}
