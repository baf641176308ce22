//! The platforms whose users plug into this API: each calls it as it does in reality, and gets what it cannot do without.
//!
//! What each of them needs is in its story: the status codes that it takes for a failure, the field or header that it
//! keeps, and what it sends when the user switches off.

use serde_json::{Value, json};
use url::Url;

use crate::support::api::{Api, Reply, query, text};
use crate::support::receiver::{Answer, Receiver};
use crate::support::server::Server;
use crate::support::signature::hex_signature;

const SUBSCRIBE: &str = "/api/v1/hooks/subscribe";

/// What Zapier's `z.request` adds to every call.
const ZAPIER: &[(&str, &str)] = &[
    ("accept", "application/json"),
    ("content-type", "application/json; charset=utf-8"),
    ("user-agent", "Zapier"),
];

/// What axios adds, with which Pipedream's sources call.
const AXIOS: &[(&str, &str)] = &[
    ("accept", "application/json, text/plain, */*"),
    ("content-type", "application/json"),
    ("user-agent", "pipedream/1"),
];

/// A call of Zapier's, which fails on any error and on an answer that is no JSON object or array.
#[track_caller]
fn zapier(api: &Api, method: &str, path: &str, body: Option<&Value>) -> Value {
    let body = body.map(Value::to_string);
    let reply = api.send(method, path, ZAPIER, body.as_deref().map(str::as_bytes));
    assert!(matches!(reply.status, 200 | 201), "{}", reply.describe());
    assert!(is_json(&reply), "{:?}", reply.headers);
    let json: Value = reply.expect(reply.status);
    assert!(json.is_object() || json.is_array(), "{json}");
    json
}

fn is_json(reply: &Reply) -> bool {
    reply.header("content-type").is_some_and(|kind| kind.starts_with("application/json"))
}

#[test]
fn zapier_turns_on_and_off_a_zap_of_an_app_built_in_its_browser() {
    let server = Server::start();
    let api = server.api().account("acme");
    let zap = Receiver::answering([200]);
    let target_url = zap.url("/hooks/standard/1234567/0123456789abcdef/");

    // The Zap is turned on: what the subscription answers is kept as `bundle.subscribeData`.
    let subscribe_data = zapier(
        &api,
        "POST",
        SUBSCRIBE,
        Some(&json!({"url": target_url, "event": "new_lead", "hookUrl": target_url})),
    );
    let receipt = api.emit("new_lead", &json!({"lead": {"name": "Jane Doe"}}));
    let trigger = zap.wait_for(1).remove(0);

    // The Zap is turned off: `bundle.subscribeData` comes back whole, as the body of the DELETE.
    let gone = zapier(&api, "DELETE", SUBSCRIBE, Some(&subscribe_data));

    assert_eq!(trigger.webhook_id(), receipt.id);
    assert_eq!(trigger.data()["lead"]["name"], "Jane Doe");
    assert!(text(&subscribe_data, "id").starts_with("hook_"));
    assert_eq!(gone, json!({"success": true, "deleted": 1}));
    assert_eq!(api.emit("new_lead", &json!(2)).matched, 0);
}

#[test]
fn zapier_turns_on_and_off_a_zap_of_an_app_built_with_its_command_line() {
    let server = Server::start();
    let api = server.api().account("acme");
    let zap = Receiver::answering([200]);
    let target_url = zap.url("/hooks/standard/1234567/fedcba9876543210/");

    // `performSubscribe` returns `response.data`, `performUnsubscribe` puts its id into the path.
    let wish = json!({"url": target_url, "event": "new_lead"});
    let subscribe_data = zapier(&api, "POST", SUBSCRIBE, Some(&wish));
    api.emit("new_lead", &json!({"n": 1}));
    zap.wait_for(1);
    let by_id = format!("/api/v1/hooks/{}", text(&subscribe_data, "id"));
    let gone = zapier(&api, "DELETE", &by_id, None);
    // Zapier repeats an unsubscription that it is not sure of.
    let gone_already = zapier(&api, "DELETE", &by_id, None);

    assert_eq!(gone, json!({"success": true, "deleted": 1}));
    assert_eq!(gone_already, json!({"success": true, "deleted": 0}));
    assert_eq!(api.hooks(), []);
}

#[test]
fn zapier_names_the_hook_by_the_url_when_an_app_kept_nothing_else() {
    let server = Server::start();
    let api = server.api().account("acme");
    let target_url = "https://hooks.zapier.example/hooks/standard/1/2/";
    let wish = json!({"url": target_url, "event": "new_lead"});
    zapier(&api, "POST", SUBSCRIBE, Some(&wish));

    let gone = zapier(&api, "DELETE", SUBSCRIBE, Some(&wish));
    zapier(&api, "POST", SUBSCRIBE, Some(&wish));
    let by_query = format!("{SUBSCRIBE}{}", query(&[("url", target_url), ("event", "new_lead")]));
    let gone_by_query = zapier(&api, "DELETE", &by_query, None);

    assert_eq!((&gone["deleted"], &gone_by_query["deleted"]), (&json!(1), &json!(1)));
}

#[test]
fn zapier_that_subscribes_twice_gets_the_same_hook_and_no_conflict() {
    let server = Server::start();
    let api = server.api().account("acme");
    let wish = json!({"url": "https://hooks.zapier.example/hooks/standard/1/2/", "event": "new_lead"});

    let first = zapier(&api, "POST", SUBSCRIBE, Some(&wish));
    let second = zapier(&api, "POST", SUBSCRIBE, Some(&wish));

    assert_eq!(second["id"], first["id"]);
    assert_eq!(api.hooks().len(), 1);
}

#[test]
fn zapier_that_answers_410_for_a_zap_that_is_gone_is_left_alone() {
    let server = Server::start();
    let api = server.api().account("acme");
    let zap = Receiver::answering([410]);
    let hook = api.subscribe(&zap.url("/hooks/standard/1/2/"), "new_lead");

    api.emit("new_lead", &json!(1));
    api.wait_for_hook(&hook.id, "it is deactivated", |hook| hook.status == "deactivated");
    let later = api.emit("new_lead", &json!(2));

    assert_eq!((later.matched, zap.requests().len()), (0, 1));
    // Unsubscribing what was deactivated is no failure either.
    let gone = zapier(&api, "DELETE", &format!("/api/v1/hooks/{}", hook.id), None);
    assert_eq!(gone, json!({"success": true, "deleted": 1}));
}

#[test]
fn zapier_shows_samples_that_look_like_what_is_delivered() {
    let server = Server::start();
    let api = server.api().account("acme");
    let zap = Receiver::answering([200]);
    let perform_list = || zapier(&api, "GET", "/api/v1/hooks/sample?event=new_lead", None);
    api.subscribe(&zap.url("/"), "new_lead");

    // `performList` before anything happened, and after: an array, each of it with an `id` of its own.
    let examples = perform_list();
    for n in 0..3 {
        api.emit("new_lead", &json!({"n": n}));
    }
    let recent = perform_list();

    for samples in [&examples, &recent] {
        let samples = samples.as_array().expect("Zapier takes nothing but an array");
        assert!(!samples.is_empty());
        let mut ids: Vec<&str> = samples.iter().map(|sample| text(sample, "id")).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), samples.len(), "Zapier drops what it takes for a repetition");
    }
    let delivered = zap.wait_for(3).remove(0).json();
    let mut sample = recent[2].clone();
    sample.as_object_mut().expect("an object").remove("id");
    let mut expected: Vec<&String> = delivered.as_object().expect("an object").keys().collect();
    let mut shown: Vec<&String> = sample.as_object().expect("an object").keys().collect();
    expected.sort();
    shown.sort();
    assert_eq!(shown, expected);
}

/// The three methods of a trigger of n8n, with what it keeps in `staticData`.
struct N8n<'a> {
    api: &'a Api,
    webhook_url: String,
    webhook_id: Option<String>,
}

impl N8n<'_> {
    fn check_exists(&mut self) -> bool {
        let hooks: Vec<Value> = self.api.get("/api/v1/hooks").expect(200);
        let ours = hooks.iter().find(|hook| hook["url"] == *self.webhook_url && hook["event"] == "new_lead");
        self.webhook_id = ours.map(|hook| text(hook, "id").to_owned());
        self.webhook_id.is_some()
    }

    fn create(&mut self) -> bool {
        let reply = self.api.subscribing(&json!({"url": self.webhook_url, "event": "new_lead"}));
        assert!(matches!(reply.status, 200 | 201), "{}", reply.describe());
        let hook: Value = reply.expect(reply.status);
        self.webhook_id = hook["id"].as_str().map(str::to_owned);
        self.webhook_id.is_some()
    }

    /// Deletes, tolerating 404, with the empty object that many of its nodes send along.
    fn delete(&mut self, body: Option<&Value>) -> bool {
        let path = format!("/api/v1/hooks/{}", self.webhook_id.take().expect("it has kept the id"));
        let reply = match body {
            None => self.api.delete(&path),
            Some(body) => self.api.delete_with(&path, body),
        };
        matches!(reply.status, 200..=299 | 404)
    }
}

#[test]
fn n8n_checks_then_creates_then_deletes_by_the_id_that_it_stored() {
    let server = Server::start();
    let api = server.api().account("acme");
    let workflow = Receiver::answering([200]);
    let webhook_url = workflow.url("/webhook/1a2b3c/webhook");
    let mut trigger = N8n { api: &api, webhook_url, webhook_id: None };

    // The workflow is activated.
    assert!(!trigger.check_exists());
    assert!(trigger.create());
    api.emit("new_lead", &json!({"n": 1}));
    workflow.wait_for(1);
    // n8n is restarted: it looks before it creates.
    assert!(trigger.check_exists());
    // The workflow is deactivated.
    assert!(trigger.delete(None));

    assert!(!trigger.check_exists());
    assert_eq!(workflow.requests().len(), 1);
}

#[test]
fn n8n_may_send_an_empty_object_along_with_a_deletion() {
    let server = Server::start();
    let api = server.api().account("acme");
    let webhook_url = "https://n8n.example/webhook/1a2b3c/webhook".to_owned();
    let mut trigger = N8n { api: &api, webhook_url, webhook_id: None };

    assert!(trigger.create());
    assert!(trigger.delete(Some(&json!({}))));

    assert!(!trigger.check_exists());
}

#[test]
fn n8n_has_a_test_url_beside_the_real_one() {
    let server = Server::start();
    let api = server.api().account("acme");
    let [listening, active] = ["webhook-test", "webhook"].map(|kind| {
        let webhook_url = format!("https://n8n.example/{kind}/1a2b3c/webhook");
        N8n { api: &api, webhook_url, webhook_id: None }
    });
    let (mut listening, mut active) = (listening, active);

    assert!(active.create());
    assert!(!listening.check_exists());
    assert!(listening.create());
    assert!(listening.delete(None));

    assert!(active.check_exists());
}

#[test]
fn make_attaches_verifies_and_detaches() {
    let server = Server::start();
    let api = server.api().account("acme");
    let scenario = Receiver::answering_with(|_| Answer::from(200).body("Accepted"));

    // The attach procedure keeps what it maps of the answer: `externalHookId` and the secret.
    let reply = api.subscribing(&json!({"url": scenario.url("/abcdefgh12345678"), "event": "new_lead"}));
    let attached: Value = reply.expect(201);
    let (external_hook_id, secret) = (text(&attached, "id"), text(&attached, "secret"));
    api.emit("new_lead", &json!({"lead": {"name": "Jane Doe"}}));
    let bundle = scenario.wait_for(1).remove(0);
    // The detach procedure announces JSON and sends none.
    let detach = |id: &str| {
        let headers = [("content-type", "application/json")];
        api.send("DELETE", &format!("/api/v1/hooks/{id}"), &headers, Some(b""))
    };
    let detached = detach(external_hook_id);
    let detached_again = detach(external_hook_id);

    // In Make's formulas there is `sha256(…; "hex"; secret)` and nothing that decodes a secret first.
    assert_eq!(bundle.header("x-fetchply-signature"), hex_signature(secret, &bundle.body));
    assert_eq!((detached.status, detached_again.status), (200, 200));
    assert_eq!(api.hooks(), []);
}

#[test]
fn make_changes_the_event_of_a_webhook_by_detaching_and_attaching() {
    let server = Server::start();
    let api = server.api().account("acme");
    let scenario = Receiver::answering([200]);
    let url = scenario.url("/abcdefgh12345678");
    let attached = api.subscribe(&url, "new_lead");

    api.unsubscribe(&attached.id);
    let updated = api.subscribe(&url, "new_message");
    api.emit("new_lead", &json!("no longer wanted"));
    let wanted = api.emit("new_message", &json!("wanted"));

    assert_eq!(scenario.wait_for(1)[0].webhook_id(), wanted.id);
    assert_eq!(api.hooks().into_iter().map(|hook| hook.id).collect::<Vec<_>>(), [updated.id]);
}

#[test]
fn pipedream_activates_drops_repetitions_and_deactivates() {
    let server = Server::start();
    let api = server.api().account("acme");
    // The source runs, and its answer is lost: the event comes once more.
    let source = Receiver::answering([500, 200]);

    // `activate` keeps the id in the source's database.
    let wish = json!({"url": source.url("/"), "event": "new_lead"}).to_string();
    let created: Value = api.send("POST", SUBSCRIBE, AXIOS, Some(wish.as_bytes())).expect(201);
    let hook_id = text(&created, "id");
    api.emit("new_lead", &json!({"n": 1}));
    let mut emitted: Vec<String> = source.wait_for(2).iter().map(|run| run.webhook_id().into()).collect();
    // `deactivate`, twice, since a source may be deleted after it was switched off.
    let deleted = || api.send("DELETE", &format!("/api/v1/hooks/{hook_id}"), &AXIOS[..1], None);
    let (first, second): (Value, Value) = (deleted().expect(200), deleted().expect(200));

    // `dedupe: "unique"` goes by the id that each run emits with.
    emitted.dedup();
    assert_eq!(emitted.len(), 1);
    assert_eq!((&first["deleted"], &second["deleted"]), (&json!(1), &json!(0)));
}

/// Creates the trigger of a flow, and returns the URL that Power Automate keeps: that of the `Location`, resolved.
fn power_automate_creates(api: &Api, server: &Server, notification_url: &str) -> Url {
    let reply = api.subscribing(&json!({"url": notification_url, "event": "new_lead"}));
    assert_eq!(reply.status, 201, "{}", reply.describe());
    let location = reply.header("location").expect("without a Location it cannot unsubscribe");
    let base = Url::parse(&format!("http://{}{SUBSCRIBE}", server.address())).expect("a URL");
    let resolved = base.join(location).expect("an absolute or root-relative URL");
    assert_eq!(resolved.origin(), base.origin(), "{location}");
    resolved
}

#[test]
fn power_automate_deletes_by_the_location_without_a_body() {
    let server = Server::start();
    let api = server.api().account("acme");
    let flow = Receiver::answering([202]);
    let path = "/workflows/0123/triggers/when/versions/1/run?api-version=2016-10-01&sp=%2Ftriggers%2Fwhen%2Frun&sig=x-Y_z";

    // The flow is saved, runs, and is removed.
    let location = power_automate_creates(&api, &server, &flow.url(path));
    api.emit("new_lead", &json!({"n": 1}));
    let notification = flow.wait_for(1).remove(0);
    let deleted = api.delete(location.path());
    let deleted_again = api.delete(location.path());

    // The query is a signature of Microsoft's: one escape less and the notification is refused.
    assert_eq!(notification.target, path);
    assert_eq!(notification.header("content-type"), "application/json");
    assert_eq!(deleted.expect::<Value>(200), json!({"success": true, "deleted": 1}));
    assert_eq!(deleted_again.status, 200, "{}", deleted_again.describe());
    assert_eq!(api.hooks(), []);
}

#[test]
fn power_automate_that_saves_a_flow_again_deletes_the_old_url_and_not_the_new() {
    let server = Server::start();
    let api = server.api().account("acme");
    let version = |n: u8| format!("https://prod.logic.azure.example/workflows/0123/versions/{n}/run?sig=x");

    let old = power_automate_creates(&api, &server, &version(1));
    let new = power_automate_creates(&api, &server, &version(2));
    api.delete(old.path()).expect::<Value>(200);

    assert_ne!(new, old);
    assert_eq!(api.hooks().into_iter().map(|hook| hook.url).collect::<Vec<_>>(), [version(2)]);
    // The location is that of the hook itself.
    assert_eq!(api.get(new.path()).expect::<Value>(200)["url"], version(2));
}

#[test]
fn power_automate_that_lost_the_first_answer_learns_the_location_from_the_second() {
    let server = Server::start();
    let api = server.api().account("acme");
    let url = "https://prod.logic.azure.example/workflows/0123/run?sig=x";

    let first = power_automate_creates(&api, &server, url);
    let second = api.subscribing(&json!({"url": url, "event": "new_lead"}));

    assert_eq!(second.status, 200, "{}", second.describe());
    assert_eq!(second.header("location").map(|location| first.path().ends_with(location)), Some(true));
}
