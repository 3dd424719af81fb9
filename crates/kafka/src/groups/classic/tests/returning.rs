//! Members that come back: static ones, and all of them after a restart.

use pagelog_store::LogError;

use super::{Fixture, SESSION, Who, owned, taken};
use crate::codec::ErrorCode;
use crate::groups::classic::ClassicGroup;
use crate::groups::kept::Kept;

#[test]
fn a_static_member_comes_back_without_a_rebalance_and_fences_itself() {
    let mut fixture = Fixture::new();
    fixture.version = 9;
    let one = taken(&fixture.join(owned("one")));
    let second = fixture.join(owned("two"));
    let one = taken(&fixture.join(Who {
        id: &one.member_id,
        ..owned("one")
    }));
    let two = taken(&second);
    let synced = [
        fixture.sync_as(&two, Some("two")),
        fixture.sync_as(&one, Some("one")),
        fixture.sync_as(&two, Some("two")),
    ];
    assert_eq!(taken(&synced[2]).assignment, two.member_id.as_bytes());
    let back = taken(&fixture.join(owned("two")));
    assert_eq!(
        (back.error, back.generation_id),
        (ErrorCode::NONE, two.generation_id)
    );
    assert_ne!(back.member_id, two.member_id);
    let part = taken(&fixture.sync_as(&back, Some("two")));
    assert_eq!(part.assignment, two.member_id.as_bytes(), "the part stays");
    // The old one is told.
    let beat = fixture
        .act(|group, turn| group.heartbeat(two.generation_id, &two.member_id, Some("two"), turn));
    assert_eq!(beat, Err(ErrorCode::FENCED_INSTANCE_ID));
    // A leader that comes back learns who is there, and leaves the parts as they are.
    let leader = taken(&fixture.join(owned("one")));
    assert!(leader.skip_assignment);
    assert_eq!((leader.leader, leader.members.len()), (leader.member_id, 2));
    // An administrator sends one away by its instance id.
    assert_eq!(fixture.leave("", Some("two")), Ok(()));
    assert_eq!(
        fixture.leave("", Some("two")),
        Err(ErrorCode::UNKNOWN_MEMBER_ID)
    );
}

#[test]
fn a_static_member_that_cannot_be_kept_is_not_replaced() {
    let mut fixture = Fixture::new();
    let one = taken(&fixture.join(owned("one")));
    assert_eq!(
        taken(&fixture.sync_as(&one, Some("one"))).error,
        ErrorCode::NONE
    );
    fixture.busy.set(true);
    assert!(matches!(
        fixture.try_join(owned("one")),
        Err(LogError::Busy(_))
    ));
    let (generation, id) = (one.generation_id, one.member_id.clone());
    let beat = fixture.act(|group, turn| group.heartbeat(generation, &id, Some("one"), turn));
    assert_eq!(beat, Ok(()));
    fixture.busy.set(false);
    let back = taken(&fixture.join(owned("one")));
    assert_eq!(
        back.leader, one.member_id,
        "an older client shall not share out again"
    );
}

#[test]
fn members_go_on_after_a_restart_and_the_absent_are_missed() {
    let (mut fixture, joined) = Fixture::stable(2);
    let state = fixture.kept.borrow().last().expect("kept").clone();
    let Kept::Classic(kept) = Kept::decode(&state).expect("valid") else {
        panic!("a classic group");
    };
    fixture.group = ClassicGroup::restored(kept, fixture.now);
    assert_eq!(fixture.group.state_name(), "Stable");
    assert_eq!(fixture.beat(&joined[0]), Ok(()));
    assert_eq!(fixture.commit(&joined[1]), Ok(()));
    let part = taken(&fixture.sync(&joined[1]));
    assert_eq!(part.assignment, joined[1].member_id.as_bytes());
    fixture.pass(SESSION / 2);
    assert_eq!(fixture.beat(&joined[0]), Ok(()));
    fixture.pass(SESSION / 2);
    assert_eq!(
        fixture.beat(&joined[0]),
        Err(ErrorCode::REBALANCE_IN_PROGRESS)
    );
}
