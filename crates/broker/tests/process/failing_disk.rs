//! A disk that does not take what was written: the sync fails, the broker ends and says so, and nothing that was acknowledged is lost.

use pagelog_testing::FailingDisk;

use crate::broker::{Broker, SMALL, at, pagelog};
use crate::client::Client;

/// What the disk can store at first, of which the file system takes a part, and later, in bytes.
const LITTLE: u64 = 24 << 20;
const ENOUGH: u64 = 200 << 20;

const VALUE_SIZE: usize = 60_000;

fn value(number: usize) -> Vec<u8> {
    vec![(number % 251) as u8; VALUE_SIZE]
}

/// Produces until it is refused; how many records were acknowledged.
fn produce(client: &mut Client) -> usize {
    (0..2 * LITTLE as usize / VALUE_SIZE)
        .find(|number| client.produce("topic", &value(*number)).ok() != Some(0))
        .expect("the disk never failed")
}

fn check(route: &str) {
    let Some(disk) = FailingDisk::mount(LITTLE).unwrap() else {
        return;
    };
    let data = disk.path().join("data");
    let route = format!("log.route={route}");
    // Otherwise warm-up meets the disk's end first, and the start does.
    let flags = [
        &at(&data)[..],
        SMALL,
        &[
            "--set",
            &route,
            "--set",
            "prewrite.bytes=0",
            "--set",
            "warm.ahead=off",
        ],
    ]
    .concat();
    let broker = Broker::spawn(&mut pagelog(&flags));
    let mut client = Client::connect(broker.address("kafka"));
    client.metadata("topic");
    let acknowledged = produce(&mut client);
    assert!(acknowledged > 50, "{acknowledged}");
    let ended = broker.wait();
    assert_eq!(ended.code, Some(7), "{ended:?}");
    let last = ended.log.lines().last().unwrap();
    for word in [
        "syncing the segment 000",
        "nothing was acknowledged after it",
    ] {
        assert!(last.contains(word), "no {word:?} in {last}");
    }

    // The kernel has the pages still, and believes that they are on the disk.
    assert!(disk.set_room(ENOUGH));
    let broker = Broker::spawn(&mut pagelog(&flags));
    let mut client = Client::connect(broker.address("kafka"));
    for number in 0..acknowledged {
        let (error, records) = client.fetch("topic", number as i64);
        assert_eq!(error, 0);
        let found = &records[200..VALUE_SIZE];
        assert!(*found == value(number)[200..], "record {number}");
    }
    assert_eq!(client.produce("topic", b"after").unwrap(), 0);
    assert_eq!(broker.stop(rustix::process::Signal::TERM).code, Some(0));
}

#[test]
fn a_sync_fails_on_the_staged_route() {
    check("staged");
}

#[test]
fn a_sync_fails_on_the_mapped_route() {
    check("mapped");
}
