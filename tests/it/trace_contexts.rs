//! Trace contexts: what an emitter's request says of its trace, the requests that deliver its events say too.

use hookyard::{Event, TraceContext};
use serde_json::{Value, json};

use crate::support::api::{Api, Receipt, Reply};
use crate::support::embedding::{open, quick, subscribe};
use crate::support::receiver::{Received, Receiver};
use crate::support::server::Server;
use crate::support::settings::Settings;

const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const STATE: &str = "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE";

fn post(api: &Api, path: &str, headers: &[(&str, &str)], body: &Value) -> Reply {
    let headers = [&[("content-type", "application/json")], headers].concat();
    api.send("POST", path, &headers, Some(body.to_string().as_bytes()))
}

fn emit(api: &Api, headers: &[(&str, &str)]) -> Receipt {
    post(api, "/api/v1/events", headers, &json!({"event": "new_lead", "data": 1})).expect(202)
}

/// What a request says of its trace.
fn trace(request: &Received) -> [Vec<&str>; 2] {
    ["traceparent", "tracestate"].map(|name| request.values(name))
}

#[test]
fn a_trace_is_carried_to_every_delivery_and_outside_of_the_signatures() {
    let server = Server::start();
    let (api, receivers) = (server.api(), [Receiver::answering([200]), Receiver::answering([200])]);
    let hooks = receivers.each_ref().map(|receiver| api.subscribe(&receiver.url("/"), "new_lead"));

    let receipt = emit(&api, &[("traceparent", PARENT), ("tracestate", STATE)]);

    let event: Value = api.get(&format!("/api/v1/events/{}", receipt.id)).expect(200);
    assert_eq!(event["trace_id"], PARENT[3..35]);
    for (receiver, hook) in receivers.iter().zip(hooks) {
        let request = &receiver.wait_for(1)[0];
        assert_eq!(trace(request), [[PARENT], [STATE]]);
        request.assert_signed_with(&hook.secret.expect("the answer shows it"));
    }
}

#[test]
fn each_event_of_a_batch_and_a_message_of_the_operator_carry_it() {
    let server = Server::start();
    let (api, receiver) = (server.api(), Receiver::answering([200]));
    api.subscribe(&receiver.url("/"), "new_lead");
    let event = json!({"event": "new_lead", "data": 1});
    let _: Vec<Receipt> =
        post(&api, "/api/v1/events", &[("traceparent", PARENT)], &json!([event, event])).expect(202);

    let message = json!({"eventType": "new_lead", "payload": {}});
    let _: Value = post(&api, "/api/v1/app/default/msg", &[("traceparent", PARENT)], &message).expect(202);

    for request in receiver.wait_for(3) {
        assert_eq!(trace(&request), [vec![PARENT], vec![]]);
    }
}

#[test]
fn retries_and_replays_carry_it_after_a_kill_too() {
    let mut server = Server::start_with(Settings::quick().steady_schedule("100ms"));
    let receiver = Receiver::answering([500, 500, 500, 200]);
    let hook = server.api().subscribe(&receiver.url("/"), "new_lead");
    let receipt = emit(&server.api(), &[("traceparent", PARENT), ("tracestate", STATE)]);
    receiver.wait_for(1);

    server.kill();
    server.restart();

    let api = server.api();
    api.wait_until_delivered(&hook.id, &receipt.id);
    let before = receiver.requests().len();
    let _: Value = api.post(&format!("/api/v1/events/{}/replay", receipt.id), &json!({})).expect(202);
    let requests = receiver.wait_for(before + 1);
    assert!(requests.len() > 4, "{}", requests.len());
    for request in &requests {
        assert_eq!(trace(request), [[PARENT], [STATE]]);
    }
}

#[test]
fn what_breaks_the_rules_is_ignored() {
    let server = Server::start();
    let (api, receiver) = (server.api(), Receiver::answering([200]));
    api.subscribe(&receiver.url("/"), "new_lead");
    let long = format!("a={}", "x".repeat(513));
    for headers in [
        &[("traceparent", "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01"), ("tracestate", STATE)]
            [..],
        &[("traceparent", "nonsense")],
        &[("tracestate", STATE)],
        &[],
        &[("traceparent", PARENT), ("tracestate", &long)],
    ] {
        emit(&api, headers);
    }

    let requests = receiver.wait_for(5);
    let with_trace: Vec<_> = requests.iter().map(trace).filter(|[parent, _]| !parent.is_empty()).collect();
    assert_eq!(with_trace, [[vec![PARENT], vec![]]]);
    assert!(requests.iter().all(|request| request.values("tracestate").is_empty()));
    let listed: Vec<Value> = api.get("/api/v1/events").expect(200);
    assert_eq!(listed.iter().filter(|event| event.get("trace_id").is_some()).count(), 1);
}

#[test]
fn hooks_have_no_trace_of_their_own() {
    let server = Server::start();
    for name in ["traceparent", "Tracestate"] {
        let wish = json!({"url": "http://127.0.0.1:9/", "event": "new_lead", "headers": {name: PARENT}});
        let refusal = server.api().subscribing(&wish).refused(422);
        assert!(refusal.message.contains(name), "{}", refusal.message);
    }
}

#[cfg(not(feature = "otlp"))]
#[test]
fn a_build_that_exports_no_spans_refuses_a_collector() {
    let settings = Settings::quick().set("traces.endpoint", r#""http://127.0.0.1:4318""#);
    let ended = crate::support::server::start_in_vain(&settings);
    assert_eq!(ended.status.code(), Some(2), "{}", ended.output);
    let named = ["traces.endpoint", "feature otlp"].map(|text| ended.output.contains(text));
    assert_eq!(named, [true; 2], "{}", ended.output);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_says_which_trace_its_event_belongs_to() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let hookyard = open(quick(directory.path())).await;
    let receiver = Receiver::answering([200]);
    subscribe(&hookyard, &receiver).await;
    let context: TraceContext = PARENT.parse().expect("a traceparent");

    let event = Event::new("new_lead", &1).expect("it serialises");
    hookyard.emit(event.trace_context(context.with_tracestate(STATE))).await.expect("accepted");

    assert_eq!(trace(&receiver.wait_for(1)[0]), [[PARENT], [STATE]]);
    hookyard.shutdown().await;
}
