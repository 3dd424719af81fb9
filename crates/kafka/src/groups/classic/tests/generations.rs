//! Rebalances and what they fence off: generations, commits of older ones, members that stall or never ask for their part.

use bytes::Bytes;
use pagelog_store::LogError;
use pagelog_store::answer::Position;

use super::{Fixture, NEW, REBALANCE, SECOND, Who, back, taken, waits};
use crate::codec::ErrorCode;

#[test]
fn three_members_share_out_and_hear_of_each_other() {
    let (mut fixture, joined) = Fixture::stable(3);
    assert_eq!(fixture.group.state_name(), "Stable");
    assert_eq!(joined.iter().map(|one| one.members.len()).max(), Some(3));
    assert_eq!(
        joined
            .iter()
            .filter(|one| one.leader == one.member_id)
            .count(),
        1
    );
    for one in &joined {
        assert_eq!(fixture.beat(one), Ok(()));
        assert_eq!(fixture.commit(one), Ok(()));
    }
    assert_eq!(
        fixture.kept.borrow().len(),
        3,
        "each generation is kept once"
    );
}

#[test]
fn followers_wait_for_the_leader_and_for_the_log() {
    let (mut fixture, joined) = Fixture::stable(2);
    let again: Vec<_> = joined
        .iter()
        .map(|one| {
            fixture.join(Who {
                protocols: &[("range", b"other")],
                ..back(&one.member_id)
            })
        })
        .collect();
    let joined: Vec<_> = again.iter().map(taken).collect();
    let (leader, follower) = if joined[0].leader == joined[0].member_id {
        (&joined[0], &joined[1])
    } else {
        (&joined[1], &joined[0])
    };
    let follower_synced = fixture.sync(follower);
    assert!(waits(&follower_synced));
    fixture.busy.set(true);
    assert!(matches!(
        fixture.try_sync(leader, None),
        Err(LogError::Busy(_))
    ));
    assert!(waits(&follower_synced));
    assert_eq!(fixture.group.state_name(), "CompletingRebalance");
    fixture.busy.set(false);
    let leader_synced = fixture.sync(leader);
    let after = leader_synced.after();
    assert_eq!(after, follower_synced.after());
    assert!(after > Some(Position(0)), "told when the parts are settled");
}

#[test]
fn a_member_that_stalls_in_a_rebalance_is_left_behind_at_its_end() {
    let (mut fixture, joined) = Fixture::stable(2);
    let newcomer = fixture.join(NEW);
    let first = fixture.join(back(&joined[0].member_id));
    for _ in 0..REBALANCE.as_secs() {
        assert!(waits(&newcomer) && waits(&first));
        // It is alive, but does not join.
        assert_eq!(
            fixture.beat(&joined[1]),
            Err(ErrorCode::REBALANCE_IN_PROGRESS)
        );
        fixture.pass(SECOND);
    }
    let (newcomer, first) = (taken(&newcomer), taken(&first));
    assert_eq!(newcomer.generation_id, joined[1].generation_id + 1);
    assert_eq!(newcomer.members.len() + first.members.len(), 2);
    assert_eq!(
        fixture.commit(&joined[1]),
        Err(ErrorCode::UNKNOWN_MEMBER_ID)
    );
}

#[test]
fn a_commit_of_an_older_generation_is_fenced_off() {
    let (mut fixture, joined) = Fixture::stable(2);
    let newcomer = fixture.join(NEW);
    // While the others join again, what was read before may be committed.
    assert_eq!(fixture.commit(&joined[0]), Ok(()));
    let again: Vec<_> = joined
        .iter()
        .map(|one| fixture.join(back(&one.member_id)))
        .collect();
    assert_eq!(
        fixture.commit(&joined[0]),
        Err(ErrorCode::ILLEGAL_GENERATION)
    );
    let now: Vec<_> = again.iter().chain([&newcomer]).map(taken).collect();
    assert_eq!(
        fixture.commit(&now[0]),
        Err(ErrorCode::REBALANCE_IN_PROGRESS)
    );
    fixture.sync_all(&now);
    assert_eq!(fixture.commit(&now[0]), Ok(()));
    assert_eq!(
        fixture.commit(&joined[0]),
        Err(ErrorCode::ILLEGAL_GENERATION)
    );
    let nobody = fixture.act(|group, turn| group.check_commit(-1, "", None, turn));
    assert_eq!(nobody, Err(ErrorCode::UNKNOWN_MEMBER_ID));
}

#[test]
fn a_rebalance_within_a_rebalance_ends_in_one_generation() {
    let (mut fixture, joined) = Fixture::stable(2);
    let third = fixture.join(NEW);
    let first = fixture.join(back(&joined[0].member_id));
    // While two wait, another comes, and the last goes.
    let fourth = fixture.join(NEW);
    assert!(waits(&third) && waits(&first) && waits(&fourth));
    assert_eq!(fixture.leave(&joined[1].member_id, None), Ok(()));
    let now: Vec<_> = [&first, &third, &fourth].map(taken).into();
    assert!(
        now.iter()
            .all(|one| one.generation_id == joined[0].generation_id + 1)
    );
    // And while its leader shares out, one more: those who wait for their parts join again.
    let follower = now
        .iter()
        .find(|one| one.members.is_empty())
        .expect("one follows");
    let synced = fixture.sync(follower);
    let fifth = fixture.join(NEW);
    assert_eq!(taken(&synced).error, ErrorCode::REBALANCE_IN_PROGRESS);
    let again: Vec<_> = now
        .iter()
        .map(|one| fixture.join(back(&one.member_id)))
        .collect();
    let now: Vec<_> = again.iter().chain([&fifth]).map(taken).collect();
    fixture.sync_all(&now);
    assert_eq!(now[0].generation_id, joined[0].generation_id + 2);
}

#[test]
fn one_that_joins_and_never_asks_for_its_part_is_sent_away() {
    let (mut fixture, joined) = Fixture::stable(2);
    let again: Vec<_> = joined
        .iter()
        .map(|one| {
            fixture.join(Who {
                protocols: &[("range", b"new")],
                ..back(&one.member_id)
            })
        })
        .collect();
    let now: Vec<_> = again.iter().map(taken).collect();
    let leader = now
        .iter()
        .position(|one| !one.members.is_empty())
        .expect("one leads");
    assert_eq!(taken(&fixture.sync(&now[leader])).error, ErrorCode::NONE);
    for _ in 0..REBALANCE.as_secs() {
        // Both are heard of all the time, but one has never asked for its part.
        let _ = fixture.beat(&now[leader]);
        let _ = fixture.beat(&now[1 - leader]);
        fixture.pass(SECOND);
    }
    assert_eq!(
        fixture.beat(&now[1 - leader]),
        Err(ErrorCode::UNKNOWN_MEMBER_ID)
    );
    assert_eq!(
        fixture.beat(&now[leader]),
        Err(ErrorCode::REBALANCE_IN_PROGRESS)
    );
}

#[test]
fn the_way_that_most_like_best_is_taken_of_those_that_all_know() {
    let mut fixture = Fixture::new();
    let ways: [&[(&str, &[u8])]; 3] = [
        &[("a", b""), ("b", b"1"), ("c", b"")],
        &[("c", b""), ("b", b"2")],
        &[("b", b"3"), ("c", b"")],
    ];
    let first = taken(&fixture.join(Who {
        protocols: ways[0],
        ..NEW
    }));
    let second = fixture.join(Who {
        protocols: ways[1],
        ..NEW
    });
    let third = fixture.join(Who {
        protocols: ways[2],
        ..NEW
    });
    let first = taken(&fixture.join(Who {
        protocols: ways[0],
        ..back(&first.member_id)
    }));
    assert_eq!(first.protocol_name.as_deref(), Some("b"));
    let mut metadata: Vec<Bytes> = [first, taken(&second), taken(&third)]
        .into_iter()
        .flat_map(|one| one.members)
        .map(|member| member.metadata)
        .collect();
    metadata.sort_unstable();
    assert_eq!(metadata, [&b"1"[..], b"2", b"3"]);
}
