//! The noisy account: one emits as fast as it can, and another at a steady rate, whose delays are compared with those
//! that it has alone.

use anyhow::anyhow;
use hookyard::hookyard::{Hookyard, Subscribe};
use hookyard::id::HookId;
use serde_json::json;

use super::comparison::Comparison;
use super::door::Door;
use super::flood::{Flood, Flooded, Water};
use super::pace::Stretch;
use super::receiver::{Receiver, data};
use super::scenario::{ADMIN_KEY, Bench, EVENT, drained};

/// How many times longer another account's p99 may be.
const LIMIT: f64 = 2.0;
const NOISY: &str = "noisy";
const QUIET: &str = "quiet";

impl Bench {
    /// One account that emits as fast as it can, through the front door like the other.
    pub async fn noisy(&self) -> anyhow::Result<()> {
        let count = self.events_of_a_phase();
        let (receiver, heap) = (Receiver::start(2 * self.rounds * count)?, Receiver::start(1)?);
        let (hookyard, directory) = self.open().await?;
        let door = Door::open(&hookyard)?;
        subscribe(&hookyard, QUIET, receiver.url()).await?;
        let noisy = subscribe(&hookyard, NOISY, heap.url()).await?;
        let water = Water {
            url: door.events.clone(),
            key: ADMIN_KEY.to_owned(),
            connections: self.connections,
            body: self.batch(),
        };

        let (mut flooded, mut stretches) = (Flooded::default(), Vec::new());
        for round in 0..self.rounds {
            let without = self.quiet_stretch(&door, 2 * round * count).await?;
            let flood = Flood::begin(water.clone())?;
            let with = self.quiet_stretch(&door, (2 * round + 1) * count).await?;
            let Flooded { accepted, refused } = flood.end()?;
            flooded = Flooded { accepted: flooded.accepted + accepted, refused: flooded.refused + refused };
            stretches.push((without, with));
            drained(&hookyard, &NOISY.parse()?, noisy).await?;
        }
        let arrivals = receiver.all_once().await?;
        heap.stop().await;
        let mut comparison = Comparison::new("noisy", LIMIT);
        for (without, with) in stretches {
            comparison.add(arrivals.delays(without.events()), arrivals.delays(with.events()));
        }

        let seconds = self.phase.as_secs_f64() * f64::from(self.rounds);
        let rate = flooded.accepted as f64 * f64::from(self.batch) / seconds;
        let text = format!(
            "{}\n{:10} the noisy one had {rate:.0} events/s accepted in batches of {}, {} requests refused",
            comparison.text(),
            "",
            self.batch,
            flooded.refused
        );
        let mut shown = comparison.json();
        shown["flood"] = json!({"events_per_second": rate, "batch": self.batch, "refused": flooded.refused});
        self.tell(&shown, &text)?;
        door.close().await?;
        self.close(hookyard, directory).await;
        comparison.verdict()
    }

    /// A request of the noisy account.
    fn batch(&self) -> String {
        let event =
            format!(r#"{{"event":"{EVENT}","account":"{NOISY}","data":{}}}"#, data(0, self.data_bytes));
        match self.batch {
            1 => event,
            count => format!("[{}]", vec![event; usize::from(count)].join(",")),
        }
    }

    async fn quiet_stretch(&self, door: &Door, first: u32) -> anyhow::Result<Stretch> {
        let (client, url, bytes) = (awc::Client::default(), door.events.clone(), self.data_bytes);
        let emit = |event| {
            let body = format!(r#"{{"event":"{EVENT}","account":"{QUIET}","data":{}}}"#, data(event, bytes));
            let request = client.post(&url).content_type("application/json").bearer_auth(ADMIN_KEY);
            async move {
                let answer = request.send_body(body).await;
                let mut answer = answer.map_err(|error| anyhow!("event {event}: {error}"))?;
                anyhow::ensure!(answer.status().is_success(), "event {event}: {}", answer.status());
                answer.body().await?;
                Ok(())
            }
        };
        Stretch::emit(first, self.events_of_a_phase(), self.rate, emit).await
    }
}

async fn subscribe(hookyard: &Hookyard, account: &str, url: &str) -> anyhow::Result<HookId> {
    let (account, _) = hookyard.create_account(Some(account.parse()?)).await?;
    let wish = Subscribe { account: account.id, ..Subscribe::new(url, EVENT) };
    Ok(hookyard.subscribe(wish).await?.hook.subscription.id)
}
