//! Answers leave in the order of their frames, whenever and wherever they become ready.

mod support;

use std::time::{Duration, Instant};

use pagelog_store::answer::Mark;
use pagelog_transfer::Path;
use support::{Fixture, PATIENCE, ask, request, wait_until};

#[test]
fn pipelined_frames_are_answered_in_order() {
    let fixture = Fixture::new();
    let mut client = fixture.client();
    let requests: Vec<_> = (0..2_000u32)
        .map(|number| request(ask::NOW, &number.to_be_bytes()))
        .collect();
    let all: Vec<u8> = requests
        .iter()
        .flat_map(|request| support::frame(request))
        .collect();
    client.send_raw(&all);
    for request in requests {
        assert_eq!(client.receive(), request);
    }
}

#[test]
fn a_ready_answer_waits_for_those_before_it() {
    let mut fixture = Fixture::new();
    let mut client = fixture.client();
    let at = fixture.log.append();
    let slow = request(ask::DURABLE, &at.0.to_be_bytes());
    client.send(&slow);
    client.send(&request(ask::SILENT, b""));
    client.send(&request(ask::NOW, b"quick"));
    wait_until("all are handled", || fixture.server.counters().frames == 3);
    assert!(client.is_quiet());
    fixture.log.write();
    assert!(client.is_quiet(), "written is not durable");
    fixture.log.sync();
    assert_eq!(client.receive(), slow);
    assert_eq!(client.receive(), request(ask::NOW, b"quick"));
}

#[test]
fn a_sync_can_wait_for_a_reactor_in_the_midst_of_its_round() {
    let fixture = Fixture::new();
    let mut client = fixture.client();
    let held = request(ask::HELD, b"");
    client.send(&held);
    // Other rounds end within the time of a look, this one does not.
    wait_until("the reactor stands still", || {
        !fixture.log.wait_for_turns(Duration::from_millis(100))
    });
    fixture.stage.open_gate();
    assert!(fixture.log.wait_for_turns(PATIENCE));
    assert_eq!(client.receive(), held);
    wait_until("all reactors sleep", || {
        fixture.log.wait_for_turns(Duration::ZERO)
    });
}

#[test]
fn what_waits_for_written_does_not_wait_for_durable() {
    let mut fixture = Fixture::new();
    let mut client = fixture.client();
    let wanted = request(ask::WRITTEN, &fixture.log.append().0.to_be_bytes());
    client.send(&wanted);
    wait_until("it waits", || fixture.server.counters().polls == 1);
    fixture.log.write();
    assert_eq!(client.receive(), wanted);
}

#[test]
fn a_mark_wakes_only_whom_it_serves() {
    let mut fixture = Fixture::with(|options| options.reactors = 4);
    let near = request(ask::DURABLE, &fixture.log.append().0.to_be_bytes());
    let far = request(ask::DURABLE, &(1u64 << 40).to_be_bytes());
    let mut clients: Vec<_> = (0..4).map(|_| fixture.client()).collect();
    for client in &mut clients[1..] {
        client.send(&far);
    }
    clients[0].send(&near);
    wait_until("all wait", || fixture.server.counters().polls == 4);
    let before = fixture.server.counters();
    fixture.log.sync();
    assert_eq!(clients[0].receive(), near);
    wait_until("the answer is counted", || {
        fixture.server.counters().polls == 5
    });
    assert_eq!(
        fixture.server.counters().wakes - before.wakes,
        1,
        "the others want more than was reached"
    );
}

#[test]
fn answers_that_become_ready_together_leave_in_one_call() {
    let mut fixture = Fixture::with(|options| options.reactors = 1);
    let mut client = fixture.client();
    let wanted = request(ask::DURABLE, &fixture.log.append().0.to_be_bytes());
    for _ in 0..100 {
        client.send(&wanted);
    }
    wait_until("all wait", || fixture.server.counters().polls == 100);
    fixture.log.sync();
    for _ in 0..100 {
        assert_eq!(client.receive(), wanted);
    }
    wait_until("the bytes are counted", || {
        fixture.server.counters().transfer[Path::Gather].bytes == 1_300
    });
    assert_eq!(fixture.server.counters().transfer[Path::Gather].calls, 1);
}

#[test]
fn a_deadline_answers() {
    let fixture = Fixture::new();
    let mut client = fixture.client();
    let begin = Instant::now();
    let [long, short] = [150u32, 20].map(|millis| request(ask::TIME, &millis.to_be_bytes()));
    client.send(&long);
    client.send(&short);
    assert_eq!(client.receive(), long);
    assert!(begin.elapsed() >= Duration::from_millis(150));
    assert_eq!(client.receive(), short);
    assert!(
        fixture.server.counters().polls <= 8,
        "timers are not polled in a loop"
    );
}

#[test]
fn a_notice_wakes_at_once_or_when_its_mark_is_there() {
    let mut fixture = Fixture::new();
    let mut client = fixture.client();
    let wanted = request(ask::NOTICE, b"x");
    client.send(&wanted);
    wait_until("it waits", || fixture.server.counters().polls == 1);
    let at = fixture.log.append();
    fixture.stage.notify(Mark::Durable, at);
    assert!(client.is_quiet());
    fixture.log.sync();
    assert_eq!(client.receive(), wanted);

    // Filled and reached by now: the first poll answers.
    client.send(&wanted);
    assert_eq!(client.receive(), wanted);
    wait_until("both are gone", || {
        *fixture.stage.dropped.lock().unwrap() == 2
    });
    fixture.stage.notify(Mark::Durable, at);
    fixture.check_service();
}

#[test]
fn a_notice_that_overtakes_its_worker_is_not_lost() {
    let mut fixture = Fixture::new();
    for _ in 0..200 {
        *fixture.stage.filled.lock().unwrap() = false;
        fixture.stage.registered.lock().unwrap().clear();
        let mut client = fixture.client();
        let wanted = request(ask::WORK_THEN_NOTICE, b"x");
        client.send(&wanted);
        wait_until("the worker has registered", || {
            !fixture.stage.registered.lock().unwrap().is_empty()
        });
        fixture.stage.notify(Mark::Written, fixture.log.append());
        fixture.log.write();
        assert_eq!(client.receive(), wanted);
    }
}

/// A worker that looks for what waits sees nothing, and is told of it before it is back.
#[test]
fn a_notice_while_a_worker_looks_is_not_lost() {
    let fixture = Fixture::new();
    let at = fixture.log.log.written().get();
    let mut client = fixture.client();
    // Two at once: the second is looked for when the first is back.
    let wanted = [request(ask::HAND_OVER, b"1"), request(ask::HAND_OVER, b"2")];
    for one in &wanted {
        client.send(one);
    }
    wait_until("both wait", || fixture.server.counters().polls == 2);
    fixture.stage.tell(Mark::Written, at);
    let looks = || *fixture.stage.looks.lock().unwrap();
    wait_until("a worker looks", || looks() == 1);
    fixture.check_service();
    fixture.stage.notify(Mark::Written, at);
    assert!(client.is_quiet());
    fixture.stage.open_gate();
    for one in wanted {
        assert_eq!(client.receive(), one);
    }
    assert_eq!(looks(), 3, "the first was looked for twice");
    assert_eq!(fixture.server.counters().worked, 3);
}

#[test]
fn the_next_frame_waits_for_work_and_other_connections_do_not() {
    let fixture = Fixture::new();
    let mut client = fixture.client();
    client.send(&request(ask::WORK, b"1"));
    client.send(&request(ask::NOW, b"2"));
    client.send(&request(ask::WORK, b"3"));
    client.send(&request(ask::NOW, b"4"));
    wait_until("the worker has it", || {
        fixture.server.counters().worked == 1
    });
    fixture.check_service();
    fixture.check_service();
    wait_until("nothing behind the work was handled", || {
        fixture.server.counters().frames == 3
    });
    assert!(client.is_quiet());
    fixture.stage.open_gate();
    for (ask, rest) in [
        (ask::WORK, b"1"),
        (ask::NOW, b"2"),
        (ask::WORK, b"3"),
        (ask::NOW, b"4"),
    ] {
        assert_eq!(client.receive(), request(ask, rest));
    }
}

#[test]
fn a_close_comes_after_the_answers_before_it() {
    let mut fixture = Fixture::new();
    let mut client = fixture.client();
    let slow = request(ask::DURABLE, &fixture.log.append().0.to_be_bytes());
    client.send(&slow);
    client.send(&request(ask::CLOSE, b""));
    client.send(&request(ask::NOW, b"never handled"));
    wait_until("both are handled", || fixture.server.counters().frames == 2);
    assert!(client.is_quiet());
    fixture.log.sync();
    assert_eq!(client.receive(), slow);
    client.wait_closed();
    wait_until("it is closed", || fixture.server.counters().closed == 1);
    assert_eq!(fixture.server.counters().frames, 2);
}

#[test]
fn a_peer_that_has_sent_all_still_gets_its_answers() {
    let mut fixture = Fixture::new();
    let mut client = fixture.client();
    let slow = request(ask::DURABLE, &fixture.log.append().0.to_be_bytes());
    client.send(&slow);
    client.0.shutdown(std::net::Shutdown::Write).unwrap();
    wait_until("it waits", || fixture.server.counters().polls == 1);
    fixture.log.sync();
    assert_eq!(client.receive(), slow);
    client.wait_closed();
    wait_until("it is closed", || fixture.server.connections() == 0);
}

#[test]
fn what_waits_for_a_peer_that_reset_is_dropped() {
    let fixture = Fixture::new();
    let mut client = fixture.client();
    client.send(&request(ask::NOTICE, b""));
    wait_until("it waits", || fixture.server.counters().polls == 1);
    rustix::net::sockopt::set_socket_linger(&client.0, Some(Duration::ZERO)).unwrap();
    drop(client);
    wait_until("it is dropped", || {
        *fixture.stage.dropped.lock().unwrap() == 1
    });
    fixture
        .stage
        .notify(Mark::Written, fixture.log.log.written().get());
    fixture.check_service();
}

#[test]
fn a_failed_log_is_heard_of_by_those_who_wait() {
    let mut fixture = Fixture::new();
    let mut client = fixture.client();
    let wanted = request(ask::DURABLE, &(1u64 << 40).to_be_bytes());
    client.send(&wanted);
    wait_until("it waits", || fixture.server.counters().polls == 1);
    fixture.log.fail();
    assert_eq!(
        client.receive(),
        wanted,
        "the pending answer knows what to say"
    );
    client.send(&wanted);
    assert_eq!(client.receive(), wanted);
    fixture.check_service();
}

#[test]
fn a_panic_in_a_handler_ends_its_connection_only() {
    let fixture = Fixture::new();
    for ask in [ask::PANIC, ask::PANIC_AT_WORK] {
        let mut client = fixture.client();
        client.send(&request(ask::NOW, b"before"));
        client.send(&request(ask, b""));
        assert_eq!(client.receive(), request(ask::NOW, b"before"));
        client.wait_closed();
        fixture.check_service();
    }
}
