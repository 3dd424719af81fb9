//! The commands that look at a log and cut it, from outside: what they write, their exit codes, and that looking changes nothing.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::SystemTime;

use rustix::process::Signal;
use serde_json::Value;

use crate::broker::{Broker, Ended, at, pagelog, run};
use crate::client::Client;

const SEGMENT: &str = "00000000000000000000.log";

/// A broker with ten records in a topic.
fn serving(data: &Path) -> Broker {
    let broker = Broker::start(&at(data));
    let mut client = Client::connect(broker.address("kafka"));
    client.metadata("orders");
    for number in 0..10_u8 {
        assert_eq!(client.produce("orders", &[b'a' + number; 100]).unwrap(), 0);
    }
    broker
}

/// The directory of a broker that was stopped.
fn stopped() -> tempfile::TempDir {
    let data = tempfile::tempdir().unwrap();
    assert_eq!(serving(data.path()).stop(Signal::TERM).code, Some(0));
    data
}

fn offline(command: &str, data: &Path, more: &[&str]) -> Ended {
    let mut arguments = vec![command, data.to_str().unwrap()];
    arguments.extend(more);
    run(&mut pagelog(&arguments))
}

fn json(ended: &Ended) -> Value {
    assert_eq!(ended.log, "", "{ended:?}");
    serde_json::from_str(&ended.output).unwrap()
}

/// Every entry as `inspect --entries --json` lists it.
fn entries(data: &Path) -> Vec<Value> {
    let ended = offline("inspect", data, &["--entries", "--json"]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let lines = ended.output.lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn positions(entries: &[Value], kind: &str) -> Vec<u64> {
    let of_kind = entries.iter().filter(|entry| entry["kind"] == kind);
    of_kind
        .map(|entry| entry["position"].as_u64().unwrap())
        .collect()
}

/// Turns one bit of the payload of the entry at this position.
fn damage(data: &Path, position: u64) {
    let file = fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open(data.join(SEGMENT))
        .unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, position + 90).unwrap();
    file.write_all_at(&[byte[0] ^ 1], position + 90).unwrap();
}

/// Every file with its content and the time of its last change.
fn state(data: &Path) -> BTreeMap<String, (Vec<u8>, SystemTime)> {
    let files = fs::read_dir(data).unwrap().map(Result::unwrap);
    let files = files.filter(|file| file.file_type().unwrap().is_file());
    files
        .map(|file| {
            let modified = file.metadata().unwrap().modified().unwrap();
            let name = file.file_name().into_string().unwrap();
            (name, (fs::read(file.path()).unwrap(), modified))
        })
        .collect()
}

#[test]
fn a_log_in_use_is_shown_and_checked_and_goes_on() {
    let data = tempfile::tempdir().unwrap();
    let broker = serving(data.path());
    let in_use = format!("in use by process {}", broker.process_id());

    let ended = offline("check", data.path(), &[]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.log.contains(&in_use), "{}", ended.log);
    assert!(
        ended.output.contains("the log is whole"),
        "{}",
        ended.output
    );
    let ended = offline("inspect", data.path(), &[]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    for word in [in_use.as_str(), "orders-0", SEGMENT, "when it was read"] {
        assert!(
            ended.output.contains(word),
            "no {word:?} in {}",
            ended.output
        );
    }
    let refused = offline("repair", data.path(), &["--to", "96", "--yes"]);
    assert_eq!(refused.code, Some(3), "{refused:?}");
    assert!(refused.log.contains(&in_use), "{}", refused.log);

    let mut client = Client::connect(broker.address("kafka"));
    assert_eq!(client.produce("orders", b"more").unwrap(), 0);
    assert_eq!(broker.stop(Signal::TERM).code, Some(0));
}

#[test]
fn a_whole_log_is_reported_and_not_touched() {
    let data = stopped();
    let before = state(data.path());
    let check = json(&offline("check", data.path(), &["--json"]));
    assert_eq!(check["verdict"], "whole", "{check}");
    assert_eq!(check["exit_code"], 0);
    assert_eq!(check["in_use_by"], Value::Null);
    assert_eq!(check["log"]["closed_cleanly"], true);

    let inspect = json(&offline("inspect", data.path(), &["--json"]));
    assert_eq!(inspect["log_id"], check["log_id"]);
    assert_eq!(inspect["end"], check["log"]["end"]);
    assert_eq!(inspect["topics"][0]["name"], "orders");
    let stream = &inspect["streams"][0];
    assert_eq!(stream["topic"], "orders", "{inspect}");
    assert_eq!(
        (&stream["records"], &stream["next_offset"]),
        (&10.into(), &10.into())
    );
    assert_eq!(inspect["entries"]["data"], 10);
    assert_eq!(inspect["segments"][0]["file"], SEGMENT);

    let listed = entries(data.path());
    assert_eq!(inspect["entries"]["all"], listed.len());
    assert_eq!(listed[0]["control_type"], 1);
    let ended = offline("inspect", data.path(), &["--entries"]);
    assert_eq!(ended.output.lines().count(), listed.len() + 1);
    let after = state(data.path());
    assert!(before == after, "looking has changed {:?}", after.keys());
}

/// The lines of progress name each segment, when standard error is no terminal.
#[test]
fn the_progress_is_told_in_lines_and_not_in_json() {
    let data = tempfile::tempdir().unwrap();
    let flags = [
        &at(data.path())[..],
        &[
            "--set",
            "segment.bytes=1088KiB",
            "--set",
            "kafka.message.max.bytes=1MiB",
            // However full the disk of this machine is: it is not what is asked here.
            "--set",
            "disk.refuse.percent=101",
        ],
    ]
    .concat();
    let broker = Broker::spawn(&mut pagelog(&flags));
    let mut client = Client::connect(broker.address("kafka"));
    client.metadata("large");
    for number in 0..3 {
        assert_eq!(client.produce("large", &vec![number; 700_000]).unwrap(), 0);
    }
    assert_eq!(broker.stop(Signal::TERM).code, Some(0));
    let ended = offline("check", data.path(), &[]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let first = ended.log.lines().next().unwrap();
    assert!(
        first.starts_with(&format!("read {SEGMENT} (1 of ")),
        "{}",
        ended.log
    );
    json(&offline("check", data.path(), &["--json"]));
}

#[test]
fn an_entry_is_shown_field_by_field() {
    let data = stopped();
    let listed = entries(data.path());
    let position = positions(&listed, "data")[3];
    let ended = offline("inspect", data.path(), &["--entry", &position.to_string()]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let dumped = format!("{position:08x}  50 4c 45 31 01 00");
    for word in ["a whole entry", "durable position", &dumped, "|PLE1...."] {
        assert!(
            ended.output.contains(word),
            "no {word:?} in {}",
            ended.output
        );
    }
    let flags = ["--entry", &position.to_string(), "--json"];
    let entry = json(&offline("inspect", data.path(), &flags));
    assert_eq!(
        (&entry["whole"], &entry["at"]),
        (&true.into(), &position.into())
    );
    let fields = entry["fields"].as_array().unwrap();
    let field = |name: &str| fields.iter().find(|field| field["name"] == name).unwrap();
    assert_eq!(field("position")["value"], position.to_string());
    assert_eq!(field("base offset")["value"], "3");
    assert_eq!(entry["header"].as_str().unwrap().len(), 160);

    let flags = ["--entry", &(position + 8).to_string(), "--json"];
    let within = json(&offline("inspect", data.path(), &flags));
    assert_eq!(within["whole"], false);
    assert_eq!(within["next"], positions(&listed, "data")[4]);
    let outside = offline("inspect", data.path(), &["--entry", "999999999999"]);
    assert_eq!(outside.code, Some(2), "{outside:?}");
}

#[test]
fn a_damaged_log_is_named_and_can_be_cut() {
    let data = stopped();
    let listed = entries(data.path());
    let hit = positions(&listed, "data")[4];
    damage(data.path(), hit);
    assert_eq!(offline("check", data.path(), &[]).code, Some(5));
    // With one, a start would not read so far back.
    for name in state(data.path()).into_keys() {
        if name.ends_with(".checkpoint") {
            fs::remove_file(data.path().join(name)).unwrap();
        }
    }
    let before = state(data.path());

    let check = offline("check", data.path(), &[]);
    assert_eq!(check.code, Some(5), "{check:?}");
    let remedy = format!("pagelog repair {} --to {hit}", data.path().display());
    assert!(check.log.contains(&remedy), "{}", check.log);
    let ended = offline("check", data.path(), &["--json"]);
    assert_eq!(ended.code, Some(5));
    let report = json(&ended);
    assert_eq!(
        (&report["verdict"], &report["damage"]["position"]),
        (&"damaged".into(), &hit.into())
    );
    let shown = offline("inspect", data.path(), &[]);
    assert_eq!(shown.code, Some(0), "{shown:?}");
    assert!(
        shown.output.contains("refused") && shown.output.contains("orders-0"),
        "{}",
        shown.output
    );
    let refused = run(&mut pagelog(&at(data.path())));
    assert_eq!(refused.code, Some(5));
    assert!(refused.log.contains(&remedy), "{}", refused.log);

    let to = hit.to_string();
    let asked = offline("repair", data.path(), &["--to", &to]);
    assert_eq!(asked.code, Some(8), "{asked:?}");
    for word in [
        "orders, partition 0",
        "5 records in 5 entries, of the offsets 5 to 9",
        SEGMENT,
    ] {
        assert!(
            asked.output.contains(word),
            "no {word:?} in {}",
            asked.output
        );
    }
    assert!(asked.log.contains("--yes"), "{}", asked.log);
    let contents = |state: BTreeMap<String, (Vec<u8>, SystemTime)>| {
        let contents = state.into_iter().map(|(name, (bytes, _))| (name, bytes));
        contents
            .filter(|(name, _)| name != "pagelog.lock")
            .collect::<BTreeMap<_, _>>()
    };
    let before = contents(before);
    assert!(
        contents(state(data.path())) == before,
        "asking has changed something"
    );

    let done = offline("repair", data.path(), &["--to", &to, "--yes"]);
    assert_eq!(done.code, Some(0), "{done:?}");
    let kept = data.path().join(format!("cut-{hit}")).join(SEGMENT);
    assert!(
        fs::read(kept).unwrap() == before[SEGMENT],
        "what was cut is not as it was"
    );
    assert_eq!(offline("check", data.path(), &[]).code, Some(0));

    let broker = Broker::start(&at(data.path()));
    let mut client = Client::connect(broker.address("kafka"));
    assert_eq!(client.produce("orders", b"after").unwrap(), 0);
    assert_eq!(broker.stop(Signal::TERM).code, Some(0));
    let streams = json(&offline("inspect", data.path(), &["--json"]))["streams"].clone();
    assert_eq!(
        (&streams[0]["records"], &streams[0]["next_offset"]),
        (&5.into(), &5.into())
    );
}

/// The line of a start or a check names the cut that it needs: that very command is taken.
fn assert_cut_as_told(data: &Path, flags: &[&str], file: &str) {
    let check = offline("check", data, &[]);
    let start = run(&mut pagelog(flags));
    assert_eq!((check.code, start.code), (Some(5), Some(5)), "{check:?}");
    let report = json(&offline("check", data, &["--json"]));
    let damage = &report["damage"];
    assert_eq!(damage["file"], file, "{report}");
    let proof = damage["proof_file"].as_str().unwrap();
    let to = damage["position"].to_string();
    let remedy = format!("pagelog repair {} --to {to}", data.display());
    for line in [&check.log, &start.log] {
        assert!(line.contains(&remedy) && line.contains(proof), "{line}");
    }
    let done = offline("repair", data, &["--to", &to, "--yes"]);
    assert_eq!(done.code, Some(0), "{done:?}");
    assert_eq!(offline("check", data, &[]).code, Some(0));
    let broker = Broker::spawn(&mut pagelog(flags));
    let mut client = Client::connect(broker.address("kafka"));
    client.metadata("orders");
    assert_eq!(client.produce("orders", b"after").unwrap(), 0);
    assert_eq!(broker.stop(Signal::TERM).code, Some(0));
}

/// Behind them no entry is whole that could prove it: a checkpoint does.
#[test]
fn entries_lost_at_the_end_are_cut_by_the_command_that_is_named() {
    let data = stopped();
    let hit = positions(&entries(data.path()), "data")[7];
    let segment = data.path().join(SEGMENT);
    let file = fs::OpenOptions::new().write(true).open(segment).unwrap();
    file.write_all_at(&[0; 64 << 10], hit).unwrap();
    assert_cut_as_told(data.path(), &at(data.path()), SEGMENT);
    let streams = json(&offline("inspect", data.path(), &["--json"]))["streams"].clone();
    assert_eq!(streams[0]["records"], 8);
}

/// All files from the second on are gone: that they were there is told by an index, once no checkpoint is there.
#[test]
fn files_lost_at_the_end_are_missed_and_cut_by_the_command_that_is_named() {
    const SECOND: &str = "00000000000001114112.log";
    let data = tempfile::tempdir().unwrap();
    let flags = [
        &at(data.path())[..],
        &[
            "--set",
            "segment.bytes=1088KiB",
            "--set",
            "kafka.message.max.bytes=1MiB",
            "--set",
            "disk.refuse.percent=101",
        ],
    ]
    .concat();
    let broker = Broker::spawn(&mut pagelog(&flags));
    let mut client = Client::connect(broker.address("kafka"));
    client.metadata("orders");
    for number in 0..3 {
        assert_eq!(client.produce("orders", &vec![number; 700_000]).unwrap(), 0);
    }
    assert_eq!(broker.stop(Signal::TERM).code, Some(0));
    for name in state(data.path()).into_keys() {
        let lost = name.ends_with(".log") && name.as_str() >= SECOND;
        if lost || name.ends_with(".checkpoint") {
            fs::remove_file(data.path().join(name)).unwrap();
        }
    }
    assert_cut_as_told(data.path(), &flags, SECOND);
}

/// Nothing is lost by it, so the log is whole; but whoever asks is told, by name.
#[test]
fn a_faulty_index_or_checkpoint_is_named_and_harms_nothing() {
    let data = stopped();
    for (ending, listed) in [
        ("index", "indexes_wrong"),
        ("checkpoint", "checkpoints_wrong"),
    ] {
        let names = state(data.path()).into_keys();
        let name = names.filter(|name| name.ends_with(ending)).max().unwrap();
        let path = data.path().join(&name);
        let mut content = fs::read(&path).unwrap();
        content[20] ^= 1;
        fs::write(&path, content).unwrap();

        let check = offline("check", data.path(), &[]);
        assert_eq!(check.code, Some(0), "{check:?}");
        assert!(
            check.output.contains(&format!("{name} is of no use")),
            "{check:?}"
        );
        let check = json(&offline("check", data.path(), &["--json"]));
        assert_eq!(check["verdict"], "whole");
        let wrong = check["log"][listed].as_array().unwrap();
        assert!(
            wrong.len() == 1 && wrong[0].as_str().unwrap().contains(&name),
            "{check}"
        );

        let inspect = json(&offline("inspect", data.path(), &["--json"]));
        let shown = inspect[format!("{ending}es")]
            .as_array()
            .or(inspect[format!("{ending}s")].as_array());
        let shown = shown
            .unwrap()
            .iter()
            .find(|file| file["file"] == name.as_str())
            .unwrap();
        assert!(shown["wrong"].is_string(), "{inspect}");
        let inspect = offline("inspect", data.path(), &[]);
        let line = inspect
            .output
            .lines()
            .find(|line| line.contains(&name))
            .unwrap();
        assert!(line.contains(shown["wrong"].as_str().unwrap()), "{line}");
    }
    // A start makes them again.
    let broker = Broker::start(&at(data.path()));
    assert_eq!(broker.stop(Signal::TERM).code, Some(0));
    let check = json(&offline("check", data.path(), &["--json"]));
    for listed in ["indexes_wrong", "checkpoints_wrong"] {
        assert_eq!(check["log"][listed].as_array().unwrap().len(), 0, "{check}");
    }
}

#[test]
fn a_position_within_an_entry_is_refused_with_the_nearest_ones() {
    let data = stopped();
    let position = positions(&entries(data.path()), "data")[2];
    let ended = offline(
        "repair",
        data.path(),
        &["--to", &(position + 8).to_string(), "--yes"],
    );
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(
        ended
            .log
            .contains(&format!("the nearest are {position} and")),
        "{}",
        ended.log
    );
}

#[test]
fn what_is_no_log_is_said_so_and_nothing_is_made() {
    let place = tempfile::tempdir().unwrap();
    let absent = place.path().join("absent");
    for (command, more) in [
        ("check", &[][..]),
        ("inspect", &[]),
        ("repair", &["--to", "96", "--yes"]),
    ] {
        let ended = offline(command, &absent, more);
        assert_eq!(ended.code, Some(4), "{ended:?}");
        assert!(!absent.exists());
    }
    for command in ["check", "inspect"] {
        let ended = offline(command, place.path(), &[]);
        assert_eq!(ended.code, Some(4), "{ended:?}");
        assert!(ended.log.contains("no log here"), "{}", ended.log);
    }
    assert_eq!(fs::read_dir(place.path()).unwrap().count(), 0);
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let data = stopped();
    let data = data.path().to_str().unwrap();
    let mut child = pagelog(&["inspect", data, "--entries"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let ended = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8(ended.stderr).unwrap(), "");
}
