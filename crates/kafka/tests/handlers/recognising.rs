//! Which frames are taken at all: APIs, versions, and bytes that are no request.

use pagelog_kafka::codec::find_coordinator::{FindCoordinatorRequest, FindCoordinatorResponse};
use pagelog_kafka::codec::frame::SIZE_PREFIX;
use pagelog_kafka::codec::{
    ApiKey, ApiVersionsRequest, ApiVersionsResponse, ErrorCode, FetchRequest, ProduceRequest,
    encode_request,
};
use pagelog_testing::Random;

use crate::client::{Got, decode};
use crate::home::{ADVERTISED, Home};

#[test]
fn api_versions_names_everything_in_every_version() {
    let running = Home::new().start();
    let mut client = running.client();
    let request = ApiVersionsRequest {
        client_software_name: "test",
        client_software_version: "1.0",
    };
    for version in ApiKey::ApiVersions.served() {
        let response: ApiVersionsResponse = client.ask(version, &request);
        assert_eq!(response.error, ErrorCode::NONE);
        let keys: Vec<i16> = response.apis.iter().map(|api| api.api_key).collect();
        let all: Vec<i16> = ApiKey::ALL.iter().map(|api| api.code()).collect();
        assert_eq!(keys, all);
        assert_eq!(
            (response.apis[0].version_min, response.apis[0].version_max),
            (0, 12)
        );
    }
    let nameless = ApiVersionsRequest::default();
    let response: ApiVersionsResponse = client.ask(3, &nameless);
    assert_eq!(response.error, ErrorCode::INVALID_REQUEST);
    running.stop();
}

#[test]
fn an_unknown_api_versions_version_gets_the_fallback() {
    let running = Home::new().start();
    for version in [5, 99, i16::MAX, -1] {
        let mut client = running.client();
        let bytes = client.call(version, &ApiVersionsRequest::default());
        let response: ApiVersionsResponse = decode(&bytes, 0);
        assert_eq!(response.error, ErrorCode::UNSUPPORTED_VERSION);
        assert_eq!(response.apis.len(), 1);
        assert_eq!(response.apis[0].api_key, 18);
    }
    running.stop();
}

#[test]
fn other_unknown_versions_and_apis_end_the_connection() {
    let running = Home::new().start();
    let mut client = running.client();
    for version in [0, 2, 13] {
        let reason = client.send(version, &ProduceRequest::default()).closed();
        assert!(
            reason.contains("Produce") && reason.contains("3 to 12"),
            "{reason}"
        );
    }
    client.send(18, &FetchRequest::default()).closed();
    let mut frame = encode_request(4, 1, None, &FetchRequest::default());
    frame[SIZE_PREFIX..SIZE_PREFIX + 2].copy_from_slice(&77_i16.to_be_bytes());
    assert!(client.frame(&frame[SIZE_PREFIX..]).closed().contains("77"));
    running.stop();
}

#[test]
fn bytes_that_are_no_request_harm_nobody() {
    let running = Home::new().start();
    let mut client = running.client();
    client.topic("a");
    let mut random = Random::new(pagelog_testing::seed(7));
    for _ in 0..3_000 {
        let mut frame = vec![0; random.below(200)];
        random.fill(&mut frame);
        if frame.len() > 4 && random.one_in(2) {
            let api = ApiKey::ALL[random.below(ApiKey::ALL.len())];
            frame[..2].copy_from_slice(&api.code().to_be_bytes());
            frame[2..4].copy_from_slice(&api.served().start().to_be_bytes());
        }
        // A lucky frame may be a request; it is answered, waits, or closes, and nothing panics.
        if let Got::Waits(mut waits) = client.frame(&frame) {
            waits.poll();
        }
    }
    client.topic("b");
    running.stop();
}

#[test]
fn this_node_coordinates_groups_and_no_transaction() {
    let running = Home::new().start();
    let mut client = running.client();
    for version in ApiKey::FindCoordinator.served() {
        for (key_type, error) in [
            (0, ErrorCode::NONE),
            (1, ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED),
            (9, ErrorCode::INVALID_REQUEST),
        ] {
            if version == 0 && key_type != 0 {
                continue;
            }
            let request = FindCoordinatorRequest {
                key: "group",
                key_type,
                keys: vec!["group"],
            };
            let response: FindCoordinatorResponse = client.ask(version, &request);
            let found = match response.coordinators.first() {
                Some(one) => (one.error, one.host.clone(), one.port, one.node_id),
                None => (
                    response.error,
                    response.host,
                    response.port,
                    response.node_id,
                ),
            };
            let expected = match error {
                ErrorCode::NONE => (error, ADVERTISED.0.to_owned(), i32::from(ADVERTISED.1), 1),
                _ => (error, String::new(), -1, -1),
            };
            assert_eq!(found, expected, "version {version}, type {key_type}");
        }
    }
    running.stop();
}
