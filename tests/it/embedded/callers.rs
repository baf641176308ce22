//! Who may call: any tokio runtime, an actix-web handler, and a program without a runtime.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::path::Path;
use std::thread;

use actix_web::{App, HttpResponse, HttpServer, web};
use hookyard::hookyard::{Blocking, Change, HookQuery, PageRequest, Which};
use hookyard::{Event, Hookyard, Subscribe};
use serde_json::{Value, json};

use crate::support::api::Api;
use crate::support::embedding::{account, ids, lead, open, quick, sorted, subscribe};
use crate::support::patience::until;
use crate::support::receiver::Receiver;

/// A handle may be cloned, sent and shared; whether it may is decided when this is compiled.
const _: () = {
    const fn is_shareable<T: Clone + Send + Sync + 'static>() {}
    is_shareable::<Hookyard>();
    is_shareable::<Blocking>();
};

/// Does with the router all that a program does, and checks what comes of it.
async fn use_all_of_it(directory: &Path) {
    let hookyard = open(quick(directory)).await;
    let receiver = Receiver::answering([200]);
    let wish = Subscribe::new(receiver.url("/"), "new_lead");
    let subscribed = hookyard.subscribe(wish).await.expect("accepted");
    let id = subscribed.hook.subscription.id;

    let mut receipts = vec![hookyard.emit(lead(1)).await.expect("accepted")];
    let paused = hookyard.pause(&account(), id).await.expect("it exists");
    receipts.extend(hookyard.emit_batch(vec![lead(2), lead(3)]).await.expect("accepted"));
    let resumed = hookyard.resume(&account(), id).await.expect("it exists");
    receiver.wait_for(3);
    let listed = hookyard.hooks(&account(), HookQuery::default(), PageRequest::default()).await;
    let deleted = hookyard.unsubscribe(&account(), Which::Id(id)).await.expect("accepted");
    let unmatched = hookyard.emit(lead(4)).await.expect("accepted");
    hookyard.shutdown().await;

    assert_eq!(subscribed.change, Change::Created);
    let statuses = [paused, resumed].map(|hook| hook.subscription.status.as_str().to_owned());
    assert_eq!(statuses, ["paused", "active"]);
    let listed: Vec<_> = listed.expect("listed").items.iter().map(|hook| hook.subscription.id).collect();
    assert_eq!((listed, deleted, unmatched.matched), (vec![id], 1, 0));
    assert!(receipts.iter().all(|receipt| receipt.matched == 1));
    assert_eq!(sorted(receiver.webhook_ids()), sorted(ids(&receipts)));
}

#[tokio::test(flavor = "multi_thread")]
async fn all_of_it_works_on_a_multi_thread_runtime() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    use_all_of_it(directory.path()).await;
}

#[tokio::test(flavor = "current_thread")]
async fn all_of_it_works_on_a_current_thread_runtime() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    use_all_of_it(directory.path()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_of_it_works_in_a_spawned_task() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().to_owned();
    tokio::spawn(async move { use_all_of_it(&path).await }).await.expect("it does not panic");
}

#[test]
fn all_of_it_works_on_an_actix_runtime() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    actix_web::rt::System::new().block_on(use_all_of_it(directory.path()));
}

#[test]
fn all_of_it_works_without_a_runtime() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let hookyard = Blocking::open(quick(directory.path())).expect("the directory can be opened");
    let receiver = Receiver::answering([200]);
    let wish = Subscribe::new(receiver.url("/"), "new_lead");
    let id = hookyard.subscribe(wish).expect("accepted").hook.subscription.id;

    let mut receipts = vec![hookyard.emit(lead(1)).expect("accepted")];
    let paused = hookyard.pause(&account(), id).expect("it exists");
    receipts.extend(hookyard.emit_batch(vec![lead(2), lead(3)]).expect("accepted"));
    let resumed = hookyard.resume(&account(), id).expect("it exists");
    receiver.wait_for(3);
    let listed = hookyard.hooks(&account(), HookQuery::default(), PageRequest::default()).expect("listed");
    let deleted = hookyard.unsubscribe(&account(), Which::Id(id)).expect("accepted");
    hookyard.shutdown();

    let statuses = [paused, resumed].map(|hook| hook.subscription.status.as_str().to_owned());
    assert_eq!(statuses, ["paused", "active"]);
    assert_eq!((listed.items.len(), deleted), (1, 1));
    assert_eq!(sorted(receiver.webhook_ids()), sorted(ids(&receipts)));
}

#[tokio::test(flavor = "multi_thread")]
async fn blocking_calls_return_within_a_task_too() {
    // More than a task of tokio may do before it yields, which a call that blocks never does.
    const CALLS: usize = 300;
    let directory = tempfile::tempdir().expect("a temporary directory");
    let hookyard = open(quick(directory.path())).await;
    let blocking = hookyard.blocking();

    let calling = thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let call = |number| blocking.emit(lead(number)).expect("accepted").id;
        runtime.block_on(async { (0..CALLS).map(call).collect::<HashSet<_>>() })
    });

    until("all calls have returned", || calling.is_finished());
    assert_eq!(calling.join().expect("no panic").len(), CALLS);
}

#[test]
fn an_actix_web_handler_emits() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let receiver = Receiver::answering([200]);
    let hookyard = pollster::block_on(open(quick(directory.path())));
    pollster::block_on(subscribe(&hookyard, &receiver));
    let shop = Shop::start(hookyard);

    let bought: Value =
        Api::at(shop.address, None).post("/buy", &json!({"name": "Jane Doe", "n": 1.0})).expect(200);

    let received = receiver.wait_for(1);
    assert_eq!(bought["id"], received[0].webhook_id());
    assert_eq!(received[0].data(), json!({"name": "Jane Doe", "n": 1.0}));
}

/// A web server of a program that embeds the router; it stops when this is dropped.
struct Shop {
    address: SocketAddr,
    handle: actix_web::dev::ServerHandle,
}

impl Shop {
    fn start(hookyard: Hookyard) -> Self {
        let (announce, announced) = std::sync::mpsc::channel();
        thread::spawn(move || {
            actix_web::rt::System::new().block_on(async move {
                let app = move || {
                    App::new().app_data(web::Data::new(hookyard.clone())).route("/buy", web::post().to(buy))
                };
                let server = HttpServer::new(app).workers(1).disable_signals().bind("127.0.0.1:0");
                let server = server.expect("a free port");
                let address = server.addrs()[0];
                let server = server.run();
                announce.send((address, server.handle())).expect("the test waits for it");
                server.await
            })
        });
        let (address, handle) = announced.recv().expect("the server starts");
        Self { address, handle }
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        pollster::block_on(self.handle.stop(false));
    }
}

async fn buy(hookyard: web::Data<Hookyard>, body: web::Bytes) -> actix_web::Result<HttpResponse> {
    let event = Event::raw("new_lead", body).map_err(actix_web::error::ErrorBadRequest)?;
    let receipt = hookyard.emit(event).await.map_err(actix_web::error::ErrorServiceUnavailable)?;
    Ok(HttpResponse::Ok().json(receipt))
}
