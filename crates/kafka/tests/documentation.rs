//! `docs/kafka.md` names every API with its versions, and every configuration.

use pagelog_kafka::codec::ApiKey;
use pagelog_kafka::configs;

fn page() -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/kafka.md");
    std::fs::read_to_string(path).expect("the page is there")
}

/// The cells of the rows of its tables.
fn rows(page: &str) -> Vec<Vec<&str>> {
    let rows = page.lines().filter(|line| line.starts_with('|'));
    rows.map(|row| row.split('|').map(str::trim).collect())
        .collect()
}

#[test]
fn every_api_is_there_with_the_versions_that_are_served() {
    let page = page();
    let rows = rows(&page);
    for api in ApiKey::ALL {
        let (first, last) = (*api.served().start(), *api.served().end());
        let versions = match first == last {
            true => first.to_string(),
            false => format!("{first}–{last}"),
        };
        let key = api.code().to_string();
        let wanted = [key.as_str(), &format!("{api:?}"), &versions];
        let found = rows.iter().any(|row| row.get(1..4) == Some(&wanted[..]));
        assert!(found, "| {} | is missing or wrong", wanted.join(" | "));
    }
    let keys = rows.iter().filter(|row| {
        let key = row.get(1).and_then(|cell| cell.parse::<i16>().ok());
        key.is_some()
            && row
                .get(3)
                .is_some_and(|cell| cell.contains(char::is_numeric))
    });
    assert_eq!(keys.count(), ApiKey::ALL.len(), "an API that is not served");
}

#[test]
fn every_configuration_is_there() {
    let page = page();
    let rows = rows(&page);
    for one in configs::topic().iter() {
        let name = format!("`{}`", one.name);
        let default = one.default.filter(|default| !default.is_empty());
        let default = default.map_or("empty".to_owned(), |default| format!("`{default}`"));
        let found = rows
            .iter()
            .any(|row| row.get(1) == Some(&name.as_str()) && row.get(2) == Some(&default.as_str()));
        assert!(found, "the row of {name} with default {default}");
    }
    for one in configs::broker().iter() {
        assert!(page.contains(&format!("`{}`", one.name)), "{}", one.name);
    }
}
