//! Attempts: what became of messages at endpoints, looked at from every side.

use serde_json::{Value, json};

use crate::support::api::text;
use crate::support::patience::until_some;
use crate::support::receiver::{Answer, Receiver};

use super::{Operator, application, not_found, of_page};

/// Waits until a list has so many entries.
fn listed(operator: &Operator, path: &str, count: usize) -> Value {
    until_some("as many entries as expected", || {
        let page = operator.get(path);
        (page["data"].as_array().unwrap().len() == count).then_some(page)
    })
}

#[test]
fn a_failing_endpoints_attempts_are_seen_from_message_and_endpoint_alike() {
    let (_server, operator) = application();
    let receiver = Receiver::answering([500, 503, 200]);
    let endpoint = operator.endpoint("acme", &json!({"url": receiver.url("/")}));
    let message = operator.send("acme", &json!({"eventType": "a", "eventId": "m", "payload": {"n": 1}}));
    let of_message = listed(&operator, "/api/v1/app/acme/attempt/msg/m", 3);
    let codes: Vec<u64> = of_message["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["responseStatusCode"].as_u64().unwrap())
        .collect();
    assert_eq!(codes, [200, 503, 500]);
    let of_endpoint = format!("/api/v1/app/acme/attempt/endpoint/{endpoint}");
    assert_eq!(operator.get(&of_endpoint)["data"], of_message["data"]);
    let first = &of_message["data"][2];
    assert_eq!((text(first, "msgId"), text(first, "endpointId")), (text(&message, "id"), endpoint.as_str()));
    assert_eq!(
        (&first["status"], text(first, "statusText"), &first["triggerType"]),
        (&json!(2), "fail", &json!(0))
    );
    assert_eq!(text(first, "url"), receiver.url("/"));
    let by_id = operator.get(&format!("/api/v1/app/acme/msg/m/attempt/{}", text(first, "id")));
    assert_eq!(&by_id, first);

    let count =
        |query: &str| operator.get(&format!("{of_endpoint}{query}"))["data"].as_array().unwrap().len();
    assert_eq!((count("?status=0"), count("?status=2"), count("?status_code_class=500")), (1, 2, 2));
    assert_eq!((count("?event_types=a"), count("?event_types=b"), count("?channel=none")), (3, 0, 0));
    let by_endpoint = format!("/api/v1/app/acme/attempt/msg/m?endpoint_id={endpoint}");
    assert_eq!(operator.get(&by_endpoint)["data"], of_message["data"]);
    let oldest = operator.get("/api/v1/app/acme/attempt/msg/m?limit=2&after=2020-01-01T00:00:00Z");
    assert_eq!(of_page(&oldest, "id"), of_page(&of_message, "id")[1..]);

    let other = operator.send("acme", &json!({"eventType": "a", "payload": {}}));
    let elsewhere = format!("/api/v1/app/acme/msg/{}/attempt/{}", text(&other, "id"), text(first, "id"));
    assert_eq!(operator.refused(404, "GET", &elsewhere, None), not_found());
}

#[test]
fn attempts_are_paged_in_both_directions() {
    let (_server, operator) = application();
    let receiver = Receiver::answering_with(|_| 200);
    let endpoint = operator.endpoint("acme", &json!({"url": receiver.url("/")}));
    for n in 0..5 {
        operator.send("acme", &json!({"eventType": "a", "eventId": format!("m{n}"), "payload": {}}));
    }
    let path = format!("/api/v1/app/acme/attempt/endpoint/{endpoint}");
    let all = listed(&operator, &path, 5);
    let ids = of_page(&all, "id");
    let first = operator.get(&format!("{path}?limit=2"));
    assert_eq!((of_page(&first, "id"), &first["done"]), (ids[..2].to_vec(), &json!(false)));
    let second = operator.get(&format!("{path}?limit=2&iterator={}", text(&first, "iterator")));
    assert_eq!(of_page(&second, "id"), ids[2..4]);
    let back = operator.get(&format!("{path}?limit=2&iterator={}", text(&second, "prevIterator")));
    assert_eq!(of_page(&back, "id"), ids[..2]);
    let oldest = operator.get(&format!("{path}?limit=2&after=2020-01-01T00:00:00Z"));
    assert_eq!((of_page(&oldest, "id"), &oldest["done"]), (ids[3..].to_vec(), &json!(false)));
}

#[test]
fn what_was_never_attempted_is_told_from_what_is_tried_again() {
    let (_server, operator) = application();
    let receiver = Receiver::answering_with(|_| 500);
    let delivery = json!({"ordering": "fifo", "retries": ["1h"]});
    let endpoint = operator.endpoint("acme", &json!({"url": receiver.url("/"), "delivery": delivery}));
    for n in 0..3 {
        operator.send("acme", &json!({"eventType": "a", "eventId": format!("m{n}"), "payload": {}}));
    }
    let of = |status: u8| {
        let query = format!("/api/v1/app/acme/endpoint/{endpoint}/msg?limit=2&status={status}");
        operator.get(&query)
    };
    let sending = until_some("one has failed", || Some(of(3)).filter(|page| page["data"] != json!([])));
    assert_eq!(
        (of_page(&sending, "eventId"), of_page(&sending, "statusText")),
        (vec!["m0"], vec!["sending"])
    );
    let pending = of(1);
    assert_eq!(of_page(&pending, "eventId"), ["m2", "m1"]);
    assert_eq!(of_page(&pending, "statusText"), ["pending"; 2]);
    assert_eq!((&pending["done"], &pending["data"][0]["nextAttempt"]), (&json!(true), &Value::Null));
}

#[test]
fn messages_and_destinations_say_where_they_stand() {
    let (_server, operator) = application();
    let (good, bad) = (Receiver::answering_with(|_| 200), Receiver::answering_with(|_| 500));
    let fine = operator.endpoint("acme", &json!({"url": good.url("/")}));
    let broken = operator.endpoint("acme", &json!({"url": bad.url("/")}));
    operator.send("acme", &json!({"eventType": "a", "eventId": "m", "payload": {"n": 1}}));
    let destinations = until_some("one is done and one given up", || {
        let page = operator.get("/api/v1/app/acme/msg/m/endpoint");
        let statuses: Vec<&Value> =
            page["data"].as_array().unwrap().iter().map(|one| &one["status"]).collect();
        (statuses == [&json!(0), &json!(2)]).then(|| page.clone())
    });
    assert_eq!(of_page(&destinations, "id"), [fine.as_str(), broken.as_str()]);
    assert_eq!(of_page(&destinations, "statusText"), ["success", "fail"]);
    let messages = operator.get(&format!("/api/v1/app/acme/endpoint/{broken}/msg"));
    assert_eq!(
        (of_page(&messages, "eventId"), &messages["data"][0]["payload"]),
        (vec!["m"], &json!({"n": 1}))
    );
    let of = |endpoint: &str, status: u8| {
        let page = operator.get(&format!("/api/v1/app/acme/endpoint/{endpoint}/msg?status={status}"));
        page["data"].as_array().unwrap().len()
    };
    assert_eq!((of(&broken, 2), of(&broken, 0), of(&fine, 0)), (1, 0, 1));
    // What was given up turned the endpoint off.
    assert_eq!(operator.get(&format!("/api/v1/app/acme/endpoint/{broken}"))["disabled"], json!(true));
}

#[test]
fn a_message_is_sent_again_to_whom_it_is_wanted_for() {
    let (_server, operator) = application();
    let receiver = Receiver::answering_with(|_| 200);
    let endpoint = operator.endpoint("acme", &json!({"url": receiver.url("/"), "eventTypes": ["new_lead"]}));
    operator.send("acme", &json!({"eventType": "other", "eventId": "m", "payload": {"n": 1}}));
    let path = format!("/api/v1/app/acme/msg/m/endpoint/{endpoint}/resend");
    let resend = || -> Value { operator.call("POST", &path, None).expect(202) };
    assert_eq!(resend(), json!({}));
    assert_eq!(receiver.wait_for(1)[0].json(), json!({"n": 1}));
    resend();
    let sent = receiver.wait_for(2);
    assert_eq!(sent[0].webhook_id(), sent[1].webhook_id());
    operator.patch(&format!("/api/v1/app/acme/endpoint/{endpoint}"), &json!({"disabled": true}));
    assert_eq!(resend(), json!({}));
    operator.refused(404, "POST", "/api/v1/app/acme/msg/m/endpoint/none/resend", None);
    assert_eq!(receiver.count(), 2);
}

#[test]
fn what_failed_is_recovered() {
    let (_server, operator) = application();
    let receiver = Receiver::answering_with(|_| 500);
    let endpoint = operator.endpoint("acme", &json!({"url": receiver.url("/")}));
    let path = format!("/api/v1/app/acme/endpoint/{endpoint}");
    operator.send("acme", &json!({"eventType": "a", "payload": {"n": 1}}));
    until_some("it is given up", || (operator.get(&path)["disabled"] == json!(true)).then_some(()));
    receiver.answer_from_now(200);
    operator.patch(&path, &json!({"disabled": false}));
    let since = json!({"since": "2099-01-01T00:00:00Z"});
    let task: Value = operator.call("POST", &format!("{path}/recover"), Some(&since)).expect(202);
    assert_eq!((text(&task, "status"), text(&task, "task")), ("running", "endpoint.recover"));
    assert!(text(&task, "id").starts_with("qtask_"));
    let before = receiver.count();
    let hour_ago = hookyard::clock::Timestamp(hookyard::clock::Timestamp::now().0 - 3_600_000).to_string();
    let _: Value =
        operator.call("POST", &format!("{path}/recover"), Some(&json!({"since": hour_ago}))).expect(202);
    assert_eq!(receiver.wait_for(before + 1)[before].json(), json!({"n": 1}));
    let faults =
        operator.faults("POST", &format!("{path}/recover"), &json!({"since": "2020-01-01T00:00:00Z"}));
    assert_eq!(
        faults,
        [("body.since".to_owned(), "Cannot recover more than 14 days of messages".to_owned())]
    );
}

#[test]
fn an_answer_that_is_expunged_is_gone() {
    let (server, operator) = application();
    let receiver = Receiver::answering_with(|_| Answer::from(200).body("marker"));
    operator.endpoint("acme", &json!({"url": receiver.url("/")}));
    operator.send("acme", &json!({"eventType": "a", "eventId": "m", "payload": {}}));
    let attempt = listed(&operator, "/api/v1/app/acme/attempt/msg/m", 1)["data"][0].clone();
    let path = format!("/api/v1/app/acme/msg/m/attempt/{}", text(&attempt, "id"));
    let content = format!("{path}/content");
    assert_eq!(server.api().account("acme").delete(&content).status, 403);
    operator.act("DELETE", &content, None);
    let mut expected = attempt;
    expected["response"] = json!("EXPUNGED");
    assert_eq!(operator.get(&path), expected);
    let elsewhere = "/api/v1/app/acme/msg/m/attempt/atmpt_000000000000000000000000000/content";
    assert_eq!(operator.refused(404, "DELETE", elsewhere, None), not_found());
}

#[test]
fn an_attempt_that_was_asked_for_says_so_and_its_retries_do_not() {
    let (_server, operator) = application();
    let receiver = Receiver::answering([200, 500, 200]);
    let endpoint = operator.endpoint("acme", &json!({"url": receiver.url("/")}));
    operator.send("acme", &json!({"eventType": "a", "eventId": "m", "payload": {}}));
    listed(&operator, "/api/v1/app/acme/attempt/msg/m", 1);
    let resend = format!("/api/v1/app/acme/msg/m/endpoint/{endpoint}/resend");
    let _: Value = operator.call("POST", &resend, None).expect(202);
    let attempts = listed(&operator, "/api/v1/app/acme/attempt/msg/m", 3);
    let triggers: Vec<u64> =
        attempts["data"].as_array().unwrap().iter().map(|one| one["triggerType"].as_u64().unwrap()).collect();
    assert_eq!(triggers, [0, 1, 0]);
}
