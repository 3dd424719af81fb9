//! The counting allocator, as the allocator of this test.

use pagelog_os::{Allocations, CountingAllocator};

#[global_allocator]
static COUNTING: CountingAllocator = CountingAllocator;

fn counted(work: impl FnOnce()) -> Allocations {
    let before = Allocations::of_this_thread();
    work();
    Allocations::of_this_thread().since(before)
}

#[test]
fn what_is_taken_and_returned_is_counted() {
    let grown = counted(|| {
        let mut bytes = Vec::<u8>::with_capacity(10);
        bytes.reserve_exact(30);
        std::hint::black_box(bytes);
    });
    assert_eq!((grown.taken_bytes, grown.returned_bytes), (40, 40));
    assert_eq!(grown.count, 2);
    let zeroed = counted(|| drop(std::hint::black_box(vec![0_u64; 4])));
    assert_eq!((zeroed.count, zeroed.taken_bytes), (1, 32));
    let none = counted(|| {
        std::hint::black_box([0_u64; 4]);
    });
    assert_eq!(none, Allocations::default());
}

#[test]
fn another_thread_counts_for_itself() {
    let box_of_theirs = std::thread::spawn(|| Box::new([1_u8; 50])).join().unwrap();
    let done = counted(|| drop(box_of_theirs));
    assert_eq!((done.count, done.returned_bytes), (0, 50));
}
