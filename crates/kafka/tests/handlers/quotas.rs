//! DescribeClientQuotas, AlterClientQuotas, and what a quota does to a client.

use std::time::Duration;

use pagelog_kafka::codec::alter_client_quotas::{
    AlterClientQuotasRequest, AlterClientQuotasResponse, AlteredEntity, QuotaAlteration,
    QuotaOperation,
};
use pagelog_kafka::codec::describe_client_quotas::{
    DescribeClientQuotasRequest, DescribeClientQuotasResponse, QuotaComponent,
};
use pagelog_kafka::codec::{ApiKey, ErrorCode, FetchResponse, ProduceResponse, decode_response};
use pagelog_store::answer::Handler;
use uuid::Uuid;

use crate::client::{Client, batch, fetch, produce};
use crate::home::Home;

type Parts<'a> = &'a [(&'a str, Option<&'a str>)];

fn alteration(parts: Parts<'_>, key: &str, value: Option<f64>) -> AlterClientQuotasRequest {
    let entity = |(kind, name): &(&str, Option<&str>)| AlteredEntity {
        entity_type: (*kind).to_owned(),
        entity_name: name.map(str::to_owned),
    };
    AlterClientQuotasRequest {
        entries: vec![QuotaAlteration {
            entity: parts.iter().map(entity).collect(),
            ops: vec![QuotaOperation {
                key: key.to_owned(),
                value: value.unwrap_or_default().into(),
                remove: value.is_none(),
            }],
        }],
        validate_only: false,
    }
}

fn alter(client: &mut Client, parts: Parts<'_>, key: &str, value: Option<f64>) -> ErrorCode {
    let response: AlterClientQuotasResponse = client.ask(1, &alteration(parts, key, value));
    response.entries[0].error
}

/// All quotas that match: entity, key, value.
fn listed(
    client: &mut Client,
    components: &[(&str, i8, Option<&str>)],
    strict: bool,
) -> Vec<String> {
    let component = |(kind, match_type, name): &(&str, i8, Option<&str>)| QuotaComponent {
        entity_type: (*kind).to_owned(),
        match_type: *match_type,
        name: name.map(str::to_owned),
    };
    let request = DescribeClientQuotasRequest {
        components: components.iter().map(component).collect(),
        strict,
    };
    let response: DescribeClientQuotasResponse = client.ask(1, &request);
    assert_eq!(response.error, ErrorCode::NONE);
    let entries = response.entries.unwrap_or_default().into_iter();
    let shown = entries.map(|entry| {
        let parts = entry.entity.iter().map(|part| {
            let name = part.entity_name.as_deref().unwrap_or("<default>");
            format!("{}={name}", part.entity_type)
        });
        let values = entry.values.iter();
        let values = values.map(|one| format!("{}={}", one.key, f64::from(one.value)));
        let all: Vec<String> = parts.chain(values).collect();
        all.join(" ")
    });
    shown.collect()
}

#[test]
fn quotas_are_kept_and_found_again() {
    let home = Home::new();
    let running = home.start();
    let mut client = running.client();
    let produce = "producer_byte_rate";
    let fetch = "consumer_byte_rate";
    let both: Parts<'_> = &[("user", Some("me")), ("client-id", Some("a"))];
    for (parts, key) in [
        (&[("client-id", Some("a"))][..], produce),
        (&[("client-id", None)], fetch),
        (both, fetch),
    ] {
        assert_eq!(
            alter(&mut client, parts, key, Some(1000.5)),
            ErrorCode::NONE
        );
    }
    for version in ApiKey::AlterClientQuotas.served() {
        let request = alteration(&[("client-id", Some("a"))], fetch, Some(7.0));
        let response: AlterClientQuotasResponse = client.ask(version, &request);
        assert_eq!(response.entries[0].error, ErrorCode::NONE);
    }
    drop(client);
    running.stop();

    let running = home.start();
    let mut client = running.client();
    let default = "client-id=<default> consumer_byte_rate=1000.5";
    let named = "client-id=a consumer_byte_rate=7 producer_byte_rate=1000.5";
    let of_both = "user=me client-id=a consumer_byte_rate=1000.5";
    assert_eq!(listed(&mut client, &[], false), [default, named, of_both]);
    let clients = [("client-id", 2, None)];
    assert_eq!(listed(&mut client, &clients, true), [default, named]);
    let by_name = [("client-id", 0, Some("a"))];
    assert_eq!(listed(&mut client, &by_name, false), [named, of_both]);
    let by_default = [("client-id", 1, None)];
    assert_eq!(listed(&mut client, &by_default, false), [default]);
    for (parts, key) in [(&[("client-id", None)][..], fetch), (both, fetch)] {
        assert_eq!(alter(&mut client, parts, key, None), ErrorCode::NONE);
    }
    assert_eq!(listed(&mut client, &[], false), [named]);
    running.stop();
}

#[test]
fn what_is_not_enforced_is_not_taken() {
    let running = Home::new().start();
    let mut client = running.client();
    let me: Parts<'_> = &[("client-id", Some("a"))];
    for (parts, key, value) in [
        (me, "request_percentage", 5.0),
        (&[("ip", Some("127.0.0.1"))], "producer_byte_rate", 5.0),
        (&[], "producer_byte_rate", 5.0),
        (me, "producer_byte_rate", 0.0),
        (me, "producer_byte_rate", f64::NAN),
        (me, "producer_byte_rate", f64::INFINITY),
    ] {
        let refused = alter(&mut client, parts, key, Some(value));
        assert_eq!(refused, ErrorCode::INVALID_REQUEST, "{key}={value}");
    }
    assert!(listed(&mut client, &[], false).is_empty());
    running.stop();
}

#[test]
fn who_sends_too_much_is_told_and_not_read_from() {
    let running = Home::new().start();
    let mut client = running.client();
    client.topic("a");
    let records = batch(&[&[7; 2000]]);
    let send =
        |client: &mut Client| -> ProduceResponse { client.ask(9, &produce("a", -1, &records)) };
    assert_eq!(send(&mut client).throttle_ms, 0);
    assert_eq!(client.connection().muted_until(), None);
    // The client of these tests calls itself `test`.
    let rate = Some(1000.0);
    let me: Parts<'_> = &[("client-id", Some("test"))];
    assert_eq!(
        alter(&mut client, me, "producer_byte_rate", rate),
        ErrorCode::NONE
    );
    let response = send(&mut client);
    assert_eq!(response.topics[0].partitions[0].error, ErrorCode::NONE);
    assert!((1000..2000).contains(&response.throttle_ms), "{response:?}");
    let until = client.connection().muted_until().expect("muted");
    let left = until.saturating_duration_since(std::time::Instant::now());
    assert!(left <= Duration::from_millis(response.throttle_ms as u64));
    assert_eq!(
        alter(&mut client, me, "producer_byte_rate", None),
        ErrorCode::NONE
    );
    assert_eq!(send(&mut client).throttle_ms, 0);
    running.stop();
}

#[test]
fn who_fetches_too_much_gets_less_at_a_time_and_has_to_wait() {
    let running = Home::new().start();
    let mut client = running.client();
    client.topic("a");
    for _ in 0..4 {
        client.produce("a", &batch(&[&[7; 2000]]));
    }
    let everyone: Parts<'_> = &[("user", None)];
    let rate = Some(3000.0);
    assert_eq!(
        alter(&mut client, everyone, "consumer_byte_rate", rate),
        ErrorCode::NONE
    );
    let bytes = client.call(11, &fetch("a", Uuid::nil(), 0));
    let (_, first): (i32, FetchResponse<'_>) = decode_response(&bytes[4..], 11).expect("valid");
    let records = first.topics[0].partitions[0].records.unwrap_or_default();
    assert!(records.len() < 3000, "{} bytes at once", records.len());
    let bytes = client.call(11, &fetch("a", Uuid::nil(), 1));
    let (_, second): (i32, FetchResponse<'_>) = decode_response(&bytes[4..], 11).expect("valid");
    assert!(
        second.throttle_ms > 0,
        "two batches are more than a second's worth"
    );
    assert!(client.connection().muted_until().is_some());
    running.stop();
}
