//! The bytes of `data`: they reach the receiver as the emitter wrote them, whatever a JSON library would make of them.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use crate::support::api::Receipt;
use crate::support::receiver::Receiver;
use crate::support::server::Server;

const TIMESTAMP: &str = "2025-01-15T10:30:00Z";

#[test]
fn data_arrives_byte_for_byte_as_it_was_emitted() {
    let spellings = [
        // Numbers.
        "1.0",
        "1e2",
        "1E+2",
        "-0",
        "-0.0",
        "0.10",
        "1e400",
        "123456789012345678901234567890",
        "0.1e-7",
        // Strings.
        r#""\u00e9""#,
        r#""é""#,
        r#""\/""#,
        r#""/""#,
        r#""\u0041\u000a\n""#,
        r#""\ud83d\ude00""#,
        "\"😀\"",
        r#""<script>&'""#,
        // Objects: order of keys, the same key twice, an empty one.
        r#"{"b":1,"a":2}"#,
        r#"{"a":1,"a":2}"#,
        r#"{"":0}"#,
        "{}",
        r#"{"\u0061":1}"#,
        // Space within.
        "{ \"a\" :\t1 ,\n  \"b\":[ 1,2 , 3 ]\r\n}",
        "[ ]",
        "[1 ,2]",
        // The other values.
        "null",
        "true",
        "false",
        "\"\"",
    ];

    assert_all_arrive_as_written(&spellings.map(str::to_owned));
}

#[test]
fn any_json_arrives_byte_for_byte() {
    let mut runner = TestRunner::deterministic();
    let spellings: Vec<String> =
        (0..200).map(|_| any_json().new_tree(&mut runner).expect("no filter rejects").current()).collect();

    assert_all_arrive_as_written(&spellings);
}

#[test]
fn the_place_of_data_in_the_request_does_not_matter() {
    let server = Server::start();
    let receiver = Receiver::answering([200]);
    server.api().subscribe(&receiver.url("/"), "new_lead");
    let event = "{\"data\" :\n { \"a\" : 1 } \t, \"other\":[1],\"timestamp\":\"2025-01-15T10:30:00Z\" ,\"event\":\"new_lead\"} ";

    let _: Receipt = server.api().post_text("/api/v1/events", event).expect(202);

    let request = &receiver.wait_for(1)[0];
    assert_eq!(request.text(), body_of("{ \"a\" : 1 }"));
}

/// Emits each of them once, in one batch, and compares what arrives under the ids of the receipts.
#[track_caller]
fn assert_all_arrive_as_written(spellings: &[String]) {
    let server = Server::start();
    let receiver = Receiver::answering([200]);
    server.api().subscribe(&receiver.url("/"), "new_lead");
    let events: Vec<String> = spellings
        .iter()
        .map(|data| format!(r#"{{"event":"new_lead","timestamp":"{TIMESTAMP}","data":{data}}}"#))
        .collect();

    let receipts: Vec<Receipt> =
        server.api().post_text("/api/v1/events", &format!("[{}]", events.join(","))).expect(202);

    let arrived: BTreeMap<String, Vec<u8>> = receiver
        .wait_for(spellings.len())
        .into_iter()
        .map(|request| (request.webhook_id().to_owned(), request.body))
        .collect();
    for (receipt, data) in receipts.iter().zip(spellings) {
        let body = arrived.get(&receipt.id).map(|body| String::from_utf8_lossy(body).into_owned());
        assert_eq!(body, Some(body_of(data)));
    }
}

fn body_of(data: &str) -> String {
    format!(r#"{{"event":"new_lead","timestamp":"{TIMESTAMP}","data":{data}}}"#)
}

/// The text of any JSON value, in any spelling.
fn any_json() -> impl Strategy<Value = String> {
    let space = "[ \t\r\n]{0,2}";
    let number = "-?(0|[1-9][0-9]{0,24})(\\.[0-9]{1,8})?([eE][+-]?[0-9]{1,3})?";
    let string = r#""([a-z é€😀<>&/]|\\["\\/bfnrt]|\\u[0-9a-cA-C][0-9a-fA-F]{3}){0,12}""#;
    let leaf = prop_oneof![Just("null".to_owned()), Just("true".to_owned()), number, string];
    leaf.prop_recursive(4, 32, 5, move |inner| {
        let spaced = (space, inner, space).prop_map(|(before, value, after)| before + &value + &after);
        let member = (space, string, space, spaced.clone())
            .prop_map(|(a, key, b, value)| a + &key + &b + ":" + &value);
        prop_oneof![
            prop::collection::vec(spaced, 0..5).prop_map(|values| format!("[{}]", values.join(","))),
            prop::collection::vec(member, 0..5).prop_map(|members| format!("{{{}}}", members.join(","))),
        ]
    })
}
