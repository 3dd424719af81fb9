//! `docs/kafka.md` names every API that is served, with its versions, and no other.

use std::collections::BTreeMap;

use pagelog_kafka::codec::ApiKey;

/// Key, name and versions of each row of the table of APIs.
fn documented() -> BTreeMap<i16, (String, String)> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/kafka.md");
    let text = std::fs::read_to_string(path).expect("the page is there");
    let (_, table) = text
        .split_once("| key | API | versions |")
        .expect("the page has the table");
    let rows = table
        .lines()
        .skip(2)
        .take_while(|line| line.starts_with('|'));
    rows.map(|row| {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let key = cells[1].parse().expect("a key");
        (key, (cells[2].to_owned(), cells[3].to_owned()))
    })
    .collect()
}

#[test]
fn the_page_names_every_api_with_its_versions() {
    let served = ApiKey::ALL.map(|api| {
        let (first, last) = (*api.served().start(), *api.served().end());
        let versions = if first == last {
            first.to_string()
        } else {
            format!("{first}–{last}")
        };
        (api.code(), (format!("{api:?}"), versions))
    });
    assert_eq!(documented(), BTreeMap::from(served));
}
