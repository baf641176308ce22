//! A router's life: it opens a directory alone, stops with its last handle, and leaves nothing behind but its data.

use std::fs;

use hookyard::hookyard::{
    EmitError, HookQuery, LookupError, PageRequest, SubscribeError, Unavailable, Which,
};
use hookyard::{Hookyard, Subscribe};

use crate::support::embedding::{
    account, ids, lead, leads, open, quick, sorted, subscribe, wait_until_all_is_delivered,
};
use crate::support::patience::{Gate, until};
use crate::support::process;
use crate::support::receiver::Receiver;

#[tokio::test(flavor = "multi_thread")]
async fn two_routers_in_one_process_do_not_see_each_other() {
    let directories = [(); 2].map(|()| tempfile::tempdir().expect("a temporary directory"));
    let one = open(quick(directories[0].path())).await;
    let other = open(quick(directories[1].path())).await;
    let receivers = [(); 2].map(|()| Receiver::answering([200]));
    let hook = subscribe(&one, &receivers[0]).await;
    let unseen = other.emit(lead(1)).await.expect("accepted");
    let listed = other.hooks(&account(), HookQuery::default(), PageRequest::default()).await.expect("listed");
    let found = other.hook(&account(), hook).await;
    subscribe(&other, &receivers[1]).await;

    let receipts = [one.emit(lead(2)).await.expect("accepted"), other.emit(lead(3)).await.expect("accepted")];
    one.shutdown().await;
    let after = other.emit(lead(4)).await.expect("the other goes on");

    assert_eq!((unseen.matched, listed.items.len()), (0, 0));
    assert!(matches!(found, Err(LookupError::NotFound)), "{found:?}");
    receivers[1].wait_for(2);
    other.shutdown().await;
    assert!(receivers[0].webhook_ids().iter().all(|id| *id == receipts[0].id.to_string()));
    assert_eq!(sorted(receivers[1].webhook_ids()), sorted(ids([&receipts[1], &after])));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_that_is_open_is_in_use() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let first = open(quick(directory.path())).await;

    let second = Hookyard::open(quick(directory.path())).await;

    let said = second.err().expect("it is refused").to_string();
    assert!(said.contains("in use") && said.contains(&directory.path().display().to_string()), "{said}");
    first.emit(lead(1)).await.expect("the first goes on");
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_shutdown_every_call_says_so() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let hookyard = open(quick(directory.path())).await;
    let hook = subscribe(&hookyard, &Receiver::answering([200])).await;
    let clone = hookyard.clone();

    hookyard.shutdown().await;

    const DOWN: Unavailable = Unavailable::ShuttingDown;
    assert_eq!(clone.ready(), Err(DOWN));
    assert!(matches!(clone.emit(lead(1)).await, Err(EmitError::Unavailable(DOWN))));
    assert!(matches!(clone.emit_batch(leads(2)).await, Err(EmitError::Unavailable(DOWN))));
    assert!(matches!(clone.try_emit(lead(1)).await, Err(EmitError::Unavailable(DOWN))));
    let wish = Subscribe::new("http://127.0.0.1:9/", "new_lead");
    assert!(matches!(clone.subscribe(wish).await, Err(SubscribeError::Unavailable(DOWN))));
    assert_eq!(clone.unsubscribe(&account(), Which::Id(hook)).await, Err(DOWN));
    let listed = clone.hooks(&account(), HookQuery::default(), PageRequest::default()).await;
    assert!(matches!(listed, Err(LookupError::Unavailable(DOWN))));
    assert!(matches!(clone.pause(&account(), hook).await, Err(LookupError::Unavailable(DOWN))));
    clone.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_emitted_before_a_shutdown_is_delivered_once_in_all() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let receiver = Receiver::answering([200]);
    let mut receipts = Vec::new();
    for _ in 0..10 {
        let hookyard = open(quick(directory.path())).await;
        subscribe(&hookyard, &receiver).await;
        receipts.extend(hookyard.emit_batch(leads(20)).await.expect("accepted"));
        receiver.wait_for(receipts.len() - 10);
        hookyard.shutdown().await;
    }

    let hookyard = open(quick(directory.path())).await;
    let hook = subscribe(&hookyard, &receiver).await;
    wait_until_all_is_delivered(&hookyard, hook).await;
    hookyard.shutdown().await;

    assert_eq!(sorted(receiver.webhook_ids()), sorted(ids(&receipts)));
}

#[tokio::test(flavor = "multi_thread")]
async fn all_who_shut_down_at_once_wait_until_it_is_done() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let hookyard = open(quick(directory.path())).await;
    let gate = Gate::default();
    let receiver = Receiver::holding(&gate);
    let hook = subscribe(&hookyard, &receiver).await;
    let receipt = hookyard.emit(lead(1)).await.expect("accepted");
    receiver.wait_for(1);

    let stopping = [(); 3].map(|()| {
        let hookyard = hookyard.clone();
        tokio::spawn(async move { hookyard.shutdown().await })
    });
    until("it is stopping", || hookyard.ready().is_err());
    gate.open();
    for stopped in stopping {
        stopped.await.expect("no panic");
    }

    let hookyard = open(quick(directory.path())).await;
    wait_until_all_is_delivered(&hookyard, hook).await;
    assert_eq!(receiver.webhook_ids(), [receipt.id.to_string()]);
}

#[test]
fn with_the_last_handle_its_threads_end() {
    let mut command = process::running("embedded::lifetime::a_process_that_drops_its_router");

    let output = command.output().expect("this binary runs");

    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{}: {said}", output.status);
}

/// Alone in its process, so that all threads are its own.
#[tokio::test(flavor = "current_thread")]
#[ignore = "run by another test, in a process of its own"]
async fn a_process_that_drops_its_router() {
    if !process::is_for("embedded::lifetime::a_process_that_drops_its_router") {
        return;
    }
    let directory = tempfile::tempdir().expect("a temporary directory");
    let before = threads();
    for _ in 0..3 {
        let hookyard = open(quick(directory.path())).await;
        let clone = hookyard.clone();
        drop(hookyard);
        clone.emit(lead(1)).await.expect("a clone keeps it running");
        let serving = threads();
        assert!(serving.iter().any(|name| name.starts_with("hookyard")), "{serving:?}");
        drop(clone);
    }

    until("its threads have ended", || threads() == before);
}

/// The names of this process's threads, but for those that sled shares among all its databases and keeps.
fn threads() -> Vec<String> {
    let tasks = fs::read_dir("/proc/self/task").expect("a process can see its threads");
    // A thread may end while they are listed.
    let names = tasks.flatten().filter_map(|task| fs::read_to_string(task.path().join("comm")).ok());
    sorted(names.filter(|name| !name.starts_with("sled-io")).collect())
}
