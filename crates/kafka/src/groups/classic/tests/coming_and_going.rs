//! Members that join, die and leave, and groups that become empty.

use super::{Fixture, NEW, SECOND, SESSION, Who, back, taken, waits};
use crate::codec::ErrorCode;

#[test]
fn the_first_join_of_a_newer_client_gets_an_id_and_comes_again() {
    let mut fixture = Fixture::new();
    fixture.version = 5;
    let first = taken(&fixture.join(NEW));
    assert_eq!(first.error, ErrorCode::MEMBER_ID_REQUIRED);
    assert!(first.member_id.starts_with("client-"));
    let second = taken(&fixture.join(back(&first.member_id)));
    assert_eq!((second.error, second.generation_id), (ErrorCode::NONE, 1));
    // One that never comes again is forgotten after its session's time, and holds nobody up.
    let lost = taken(&fixture.join(NEW));
    let again = fixture.join(Who {
        protocols: &[("range", b"more")],
        ..back(&second.member_id)
    });
    assert!(waits(&again), "the group waits for the other");
    fixture.pass(SESSION);
    assert_eq!(taken(&again).generation_id, 2);
    let late = taken(&fixture.join(back(&lost.member_id)));
    assert_eq!(late.error, ErrorCode::UNKNOWN_MEMBER_ID);
}

#[test]
fn a_member_that_dies_is_left_out() {
    let (mut fixture, joined) = Fixture::stable(2);
    fixture.pass(SESSION - SECOND);
    assert_eq!(fixture.beat(&joined[0]), Ok(()));
    fixture.pass(SECOND);
    assert_eq!(
        fixture.beat(&joined[0]),
        Err(ErrorCode::REBALANCE_IN_PROGRESS)
    );
    assert_eq!(fixture.beat(&joined[1]), Err(ErrorCode::UNKNOWN_MEMBER_ID));
    let again = taken(&fixture.join(back(&joined[0].member_id)));
    assert_eq!((again.members.len(), again.leader), (1, again.member_id));
}

/// A member that dies, comes back as another, and dies again, for hours: it costs the other a rebalance each time and nothing else.
#[test]
fn one_that_comes_and_goes_leaves_nothing_behind() {
    let (mut fixture, joined) = Fixture::stable(1);
    let steady = joined[0].member_id.as_str();
    for _ in 0..100 {
        let newcomer = fixture.join(NEW);
        let again = fixture.join(back(steady));
        let both = [taken(&again), taken(&newcomer)];
        assert_eq!(both[0].members.len(), 2);
        fixture.sync_all(&both);
        fixture.pass(SESSION * 3 / 4);
        assert_eq!(fixture.beat(&both[0]), Ok(()));
        fixture.pass(SESSION * 3 / 4);
        let missed = fixture.beat(&both[0]);
        assert_eq!(missed, Err(ErrorCode::REBALANCE_IN_PROGRESS));
        let alone = taken(&fixture.join(back(steady)));
        assert_eq!(alone.generation_id, both[0].generation_id + 1);
        assert_eq!(alone.members.len(), 1);
        fixture.sync_all(&[alone]);
    }
    assert_eq!(fixture.group.members.len(), 1);
    assert!(fixture.group.expected.is_empty() && fixture.group.instances.is_empty());
}

#[test]
fn a_group_that_was_empty_waits_for_more_but_not_for_ever() {
    let mut fixture = Fixture::new();
    fixture.options.initial_rebalance_delay = 3 * SECOND;
    let first = fixture.join(NEW);
    fixture.pass(2 * SECOND);
    let mut others = vec![fixture.join(NEW)];
    fixture.pass(SECOND);
    assert!(waits(&first), "one came, so it waits once more");
    while waits(&first) {
        fixture.pass(3 * SECOND);
        if waits(&first) {
            others.push(fixture.join(NEW));
        }
        assert!(
            others.len() < 20,
            "it never waits longer than a rebalance may take"
        );
    }
    let first = taken(&first);
    let generations: Vec<i32> = others
        .iter()
        .map(|other| taken(other).generation_id)
        .collect();
    assert_eq!(first.generation_id, 1);
    assert!(generations.iter().all(|generation| *generation == 1));
}

#[test]
fn the_last_one_to_go_leaves_an_empty_group_even_when_the_log_is_full() {
    let (mut fixture, joined) = Fixture::stable(1);
    let count = fixture.kept.borrow().len();
    fixture.busy.set(true);
    assert_eq!(fixture.leave(&joined[0].member_id, None), Ok(()));
    assert_eq!(fixture.group.state_name(), "Empty");
    assert_eq!(fixture.kept.borrow().len(), count);
    fixture.busy.set(false);
    fixture.pass(SECOND);
    assert_eq!(
        fixture.kept.borrow().len(),
        count + 1,
        "kept when there is room"
    );
    assert_eq!(fixture.group.empty_since_ms(), Some(77));
}

#[test]
fn those_with_nothing_in_common_and_those_too_many_are_refused() {
    let (mut fixture, _) = Fixture::stable(1);
    let other = Who {
        protocols: &[("sticky", b"")],
        ..NEW
    };
    assert_eq!(
        taken(&fixture.join(other)).error,
        ErrorCode::INCONSISTENT_GROUP_PROTOCOL
    );
    let none = Who {
        protocols: &[],
        ..NEW
    };
    assert_eq!(
        taken(&fixture.join(none)).error,
        ErrorCode::INCONSISTENT_GROUP_PROTOCOL
    );
    fixture.options.size_max = 1;
    assert_eq!(
        taken(&fixture.join(NEW)).error,
        ErrorCode::GROUP_MAX_SIZE_REACHED
    );
    assert_eq!(
        taken(&fixture.join(back("nobody"))).error,
        ErrorCode::UNKNOWN_MEMBER_ID
    );
}

#[test]
fn a_thousand_that_reconnect_at_once_are_one_generation() {
    let mut fixture = Fixture::new();
    fixture.options.initial_rebalance_delay = SECOND;
    let storm: Vec<_> = (0..1000).map(|_| fixture.join(NEW)).collect();
    fixture.pass(2 * SECOND);
    fixture.pass(SECOND);
    let joined: Vec<_> = storm.iter().map(taken).collect();
    assert!(joined.iter().all(|one| one.generation_id == 1));
    assert_eq!(joined.iter().map(|one| one.members.len()).max(), Some(1000));
}
