//! Every path, forced, through a reactor: the bytes arrive, and the connection outlives the completions that some of them bring.

mod support;

use std::io::Write;
use std::sync::Arc;

use pagelog_os::MappedFile;
use pagelog_transfer::{Choices, Path, Why};
use support::{Fixture, ask, request, wait_until};

const FILE_SIZE: usize = 3 << 20;

#[test]
fn a_forced_path_serves_and_its_connection_goes_on() {
    let bytes: Vec<u8> = (0..FILE_SIZE).map(|at| (at / 777) as u8).collect();
    let mut file = tempfile::tempfile_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    file.write_all(&bytes).unwrap();
    let file = Arc::new(MappedFile::new(file).unwrap());
    for path in Path::ALL {
        let fixture = Fixture::with(|options| options.choices = Choices::only(path));
        *fixture.stage.file.lock().unwrap() = Some(Arc::clone(&file));
        let mut client = fixture.client();
        for _ in 0..3 {
            client.send(&request(ask::FILE, b""));
            assert!(client.receive() == bytes, "{path}");
        }
        client.send(&request(ask::NOW, b"and on"));
        assert_eq!(client.receive(), request(ask::NOW, b"and on"), "{path}");
        // What is counted is published when the reactor goes round.
        wait_until("all is counted", || {
            fixture.server.counters().transfer.bytes() >= 3 * FILE_SIZE as u64
        });
        let counters = fixture.server.counters();
        assert_eq!(counters.closed, 0, "{path}");
        let count = counters.transfer[path];
        let refused = counters.transfer.refusals > 0;
        assert!(count.forced > 0 || refused, "{path}: {counters:?}");
    }
}

fn ask_for_file(fixture: &Fixture) {
    let mut client = fixture.client();
    client.send(&request(ask::FILE, b""));
    assert_eq!(client.receive().len(), FILE_SIZE);
}

#[test]
fn another_table_is_gone_by_from_the_next_answer_on() {
    let mut file = tempfile::tempfile_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    file.write_all(&vec![9; FILE_SIZE]).unwrap();
    let file = Arc::new(MappedFile::new(file).unwrap());
    let fixture = Fixture::with(|options| {
        options.reactors = 2;
        assert_eq!(options.choices.why(), Why::Default);
    });
    *fixture.stage.file.lock().unwrap() = Some(file);
    let sent = |path: Path| fixture.server.counters().transfer[path];
    ask_for_file(&fixture);
    wait_until("it goes by what is built in", || {
        sent(Path::SendFile).by_default > 0
    });
    let table = Choices::measured([Path::Reference; 16], [Path::Reference; 16]);
    fixture.server.chooser().choose(table);
    // Each reactor hears of it in its own time.
    wait_until("it goes by the table", || {
        ask_for_file(&fixture);
        sent(Path::Reference).measured > 0
    });
}
