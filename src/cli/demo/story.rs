//! The story: what is shown, step by step, and what must be true of each step.
//!
//! Everything goes over HTTP, as a consumer's calls do. A step that is not as it should be ends the story with an
//! error; how long all of it may take is left to the caller.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, ensure};
use hookyard::clock::Timestamp;
use hookyard::config::Config;
use hookyard::signature::{self, TOLERANCE, VerifyError};
use hookyard::subscription::Secret;
use tokio::sync::mpsc;
use tokio::time::sleep;

use super::consumer::{Consumer, EVENTS, HOOKS, Hook, Receipt, SUBSCRIBE};
use super::narration::Narration;
use super::paste::Paste;
use super::receiver::{Arrival, FLAKY, GONE, HEALTHY, Receiver};

/// Whoever acts in it, and where it is told.
pub struct Story<'a> {
    narration: Narration,
    consumer: Consumer,
    receiver: &'a Receiver,
    arrivals: mpsc::Receiver<Arrival>,
    config: &'a Config,
}

/// Who subscribes to what, and what is emitted.
struct Scene {
    path: &'static str,
    event: &'static str,
    data: &'static str,
}

/// What a scene has come to once its event is accepted.
struct Sent {
    path: &'static str,
    hook: String,
    secret: Secret,
    webhook_id: String,
    body: String,
}

const HEALTHY_SCENE: Scene = Scene {
    path: HEALTHY,
    event: "new_lead",
    data: r#"{"agentId":"agent_abc123","lead":{"name":"Jane Doe","email":"jane@example.com"}}"#,
};
const FLAKY_SCENE: Scene = Scene {
    path: FLAKY,
    event: "new_message",
    data: r#"{"agentId":"agent_abc123","message":{"role":"user","content":"Do you ship to Canada?"}}"#,
};
const GONE_SCENE: Scene = Scene {
    path: GONE,
    event: "new_conversation",
    data: r#"{"agentId":"agent_abc123","conversation":{"id":"conv_def456","channel":"website"}}"#,
};

/// Between two looks at a hook.
const LOOK_AGAIN: Duration = Duration::from_millis(20);
/// What two clocks that count whole milliseconds may take from a wait.
const CLOCK_STEP: Duration = Duration::from_millis(2);

impl<'a> Story<'a> {
    pub fn new(
        narration: Narration,
        consumer: Consumer,
        receiver: &'a Receiver,
        arrivals: mpsc::Receiver<Arrival>,
        config: &'a Config,
    ) -> Self {
        Self { narration, consumer, receiver, arrivals, config }
    }

    /// Says where everything is, and what differs from a server in production.
    pub fn introduce(&mut self, api: SocketAddr) {
        let (receiver, waits) = (self.receiver.address(), waits(&self.config.retry.schedule));
        let data = self.config.data_dir.display();
        self.narration.plain(format_args!("hookyard {}: a demonstration", env!("CARGO_PKG_VERSION")));
        self.narration.plain(format_args!("\n  server    http://{api}"));
        self.narration.plain(format_args!("  receiver  http://{receiver}, verifies every signature"));
        self.narration.plain(format_args!("  data      {data}, removed at the end\n"));
        self.narration
            .aside("Unlike in production, hooks may have http:// and private targets here, and retries");
        self.narration.aside(format_args!("come after {waits}, not after 1 min, 5 min and 30 min."));
    }

    /// Tells it from the first step to the last.
    ///
    /// # Errors
    /// At the first thing that is not as it should be.
    pub async fn tell(&mut self) -> anyhow::Result<()> {
        self.deliver().await.with_context(|| format!("at {HEALTHY}"))?;
        self.retry().await.with_context(|| format!("at {FLAKY}"))?;
        self.deactivate().await.with_context(|| format!("at {GONE}"))?;
        self.narration.title("All went as shown.");
        Ok(())
    }

    /// Prints what can be tried now.
    pub fn offer(&mut self, paste: &Paste<'_>) {
        self.narration.title("Try it yourself: paste these lines into another terminal. Ctrl-C ends it all.");
        self.narration.plain(format_args!("\n{paste}"));
    }

    /// Reports what arrives, without end.
    ///
    /// # Errors
    /// When the receiver is gone.
    pub async fn watch(&mut self) -> anyhow::Result<()> {
        loop {
            let arrival = self.arrivals.recv().await.context("the receiver ended")?;
            self.narration.arrived(&arrival);
        }
    }

    async fn deliver(&mut self) -> anyhow::Result<()> {
        self.narration.title("1. A receiver that answers 200 gets each event once");
        let sent = self.send(&HEALTHY_SCENE).await?;
        let arrival = self.arrival(&sent, 200).await?;
        self.narration.arrived(&arrival);

        let changed = [&arrival.request.body[..], b" "].concat();
        let (secret, headers) = (sent.secret.reveal(), arrival.headers()?);
        let verdict = signature::verify(secret, &headers, &changed, TOLERANCE, Timestamp::now());
        ensure!(verdict == Err(VerifyError::NoMatch), "a changed body is not refused: {verdict:?}");
        self.narration.found("with one more byte in its body it would not be verified");

        self.wait_for(&sent, |hook| hook.pending == 0).await?;
        self.narration.found("delivered: nothing is pending");
        Ok(())
    }

    async fn retry(&mut self) -> anyhow::Result<()> {
        self.narration.title("2. A receiver that fails gets the event again");
        let sent = self.send(&FLAKY_SCENE).await?;
        let first = self.arrival(&sent, 500).await?;
        self.narration.arrived(&first);
        let retry = self.retry_of(&sent, &first, 1, 200).await?;
        let (before, after) = (first.headers()?, retry.headers()?);
        ensure!(after.timestamp > before.timestamp, "the retry has the time of the first attempt");
        ensure!(after.signature != before.signature, "the retry has the signature of the first attempt");
        self.narration.found("the same webhook-id and body, so that it can drop duplicates; signed afresh");

        let hook = self.wait_for(&sent, |hook| hook.pending == 0).await?;
        ensure!(hook.status == "active", "the hook is {}", hook.status);
        self.narration.found("delivered: nothing is pending, and the hook is active");
        Ok(())
    }

    async fn deactivate(&mut self) -> anyhow::Result<()> {
        let retries = self.config.retry.schedule.len();
        self.narration.title("3. A hook whose receiver always fails is deactivated");
        let sent = self.send(&GONE_SCENE).await?;
        let mut last = self.arrival(&sent, 500).await?;
        self.narration.arrived(&last);
        for n in 1..=retries {
            last = self.retry_of(&sent, &last, n, 500).await?;
        }

        let hook = self.wait_for(&sent, |hook| hook.status != "active").await?;
        let Hook { status, reason, pending, dead, .. } = &hook;
        let reason = reason.as_deref().unwrap_or_default();
        ensure!(status == "deactivated" && !reason.is_empty(), "the hook is {status}: {reason:?}");
        ensure!((*pending, *dead) == (0, 1), "{pending} deliveries are pending and {dead} are dead letters");
        self.narration.plain(format_args!("  → GET {HOOKS}/{}", sent.hook));
        self.narration.answered(200, format_args!("{status}: {reason}"));
        self.narration.found("its delivery is kept, as a dead letter");

        let Receipt { matched, .. } = self.emit(&GONE_SCENE).await?;
        ensure!(matched == 0, "an event still matches {matched} hooks");
        let unexpected = self.arrivals.try_recv().ok();
        ensure!(unexpected.is_none(), "there was one more request: {unexpected:?}");
        self.narration.found("a deactivated hook matches nothing");
        Ok(())
    }

    /// Subscribes, gives the receiver the secret, and emits.
    async fn send(&mut self, scene: &Scene) -> anyhow::Result<Sent> {
        let Scene { path, event, data } = *scene;
        let wish = format!(r#"{{"url":"http://{}{path}","event":"{event}"}}"#, self.receiver.address());
        self.narration.sent("POST", SUBSCRIBE, &wish);
        let Hook { id: hook, status, secret, .. } = self.consumer.post(SUBSCRIBE, wish, 201).await?;
        ensure!(status == "active", "a new hook is {status}");
        let secret: Secret = secret.context("a new hook came without its secret")?.parse()?;
        self.narration.answered(201, format_args!("{hook}, and a secret for the receiver"));
        self.receiver.trust(path, secret.clone());

        let Receipt { id: webhook_id, timestamp, matched } = self.emit(scene).await?;
        ensure!(matched == 1, "the event matches {matched} hooks, not the one just made");
        let body = format!(r#"{{"event":"{event}","timestamp":"{timestamp}","data":{data}}}"#);
        Ok(Sent { path, hook, secret, webhook_id, body })
    }

    async fn emit(&mut self, scene: &Scene) -> anyhow::Result<Receipt> {
        let event = format!(r#"{{"event":"{}","data":{}}}"#, scene.event, scene.data);
        self.narration.sent("POST", EVENTS, &event);
        let receipt: Receipt = self.consumer.post(EVENTS, event, 202).await?;
        let Receipt { id, matched, .. } = &receipt;
        self.narration.answered(202, format_args!("{id}, on disk; hooks matched: {matched}"));
        Ok(receipt)
    }

    /// The next request that arrives, which must be of this event, to this hook, verified, and answered so.
    async fn arrival(&mut self, sent: &Sent, status: u16) -> anyhow::Result<Arrival> {
        let arrival = self.arrivals.recv().await.context("the receiver ended")?;
        let (path, id, verdict) = (&arrival.request.target, arrival.id(), &arrival.verdict);
        ensure!(path == sent.path, "a request to {path} arrived");
        ensure!(verdict.is_verified(), "a request to {path}: {verdict}");
        ensure!(id == sent.webhook_id, "a request of {id} arrived instead of {}", sent.webhook_id);
        let text = String::from_utf8_lossy(&arrival.request.body);
        ensure!(text == sent.body, "the body {text} arrived instead of {}", sent.body);
        ensure!(arrival.status == status, "it was answered {} instead of {status}", arrival.status);
        Ok(arrival)
    }

    /// The `n`th retry, which must come no sooner than the schedule says.
    async fn retry_of(
        &mut self,
        sent: &Sent,
        failed: &Arrival,
        n: usize,
        status: u16,
    ) -> anyhow::Result<Arrival> {
        let wait = self.config.retry.schedule[n - 1];
        self.narration.aside(format_args!("… retry {n} in {} s", wait.as_secs_f32()));
        let arrival = self.arrival(sent, status).await?;
        let waited = arrival.request.at - failed.request.at;
        ensure!(waited + CLOCK_STEP >= wait, "retry {n} came {waited:?} after the failure, not {wait:?}");
        let note = format!(": retry {n}, {:.1} s after the failure", waited.as_secs_f32());
        self.narration.arrived_again(&arrival, note);
        Ok(arrival)
    }

    /// Looks at the hook until it is as it should be.
    async fn wait_for(&self, sent: &Sent, is_so: impl Fn(&Hook) -> bool) -> anyhow::Result<Hook> {
        loop {
            let hook = self.consumer.hook(&sent.hook).await?;
            if is_so(&hook) {
                return Ok(hook);
            }
            sleep(LOOK_AGAIN).await;
        }
    }
}

/// The waits of a schedule: `1 s, 2 s, 3 s`.
fn waits(schedule: &[Duration]) -> String {
    let waits: Vec<String> = schedule.iter().map(|wait| format!("{} s", wait.as_secs_f32())).collect();
    waits.join(", ")
}
