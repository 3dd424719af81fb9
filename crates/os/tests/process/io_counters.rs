//! What a process has read and written: `/proc/PID/io`.

use pagelog_os::file;
use pagelog_os::process::{Process, io_write_bytes};

#[test]
fn calls_and_bytes_are_counted() {
    let file = tempfile::tempfile().unwrap();
    let before = Process::Own.io_counters().unwrap();
    file::write_at(&file, 0, &[1; 10_000]).unwrap();
    let after = Process::Own.io_counters().unwrap();
    assert!(after.write_calls > before.write_calls);
    assert!(after.write_call_bytes >= before.write_call_bytes + 10_000);
    assert!(io_write_bytes().unwrap() >= before.device_write_bytes);
}

#[test]
fn a_process_is_found_by_its_id_and_an_absent_one_is_not() {
    let own = Process::Id(std::process::id());
    assert!(own.io_counters().unwrap().read_calls > 0);
    let absent = Process::Id(u32::MAX).io_counters().unwrap_err();
    assert_eq!(absent.kind(), std::io::ErrorKind::NotFound);
}
