//! Bad neighbours: of a hundred hooks one hangs, one resets connections and one dribbles, and the delays of the others
//! are compared with those that they have without the three.

use hookyard::account::AccountId;
use hookyard::hookyard::{Subscribe, Which};

use super::comparison::Comparison;
use super::misbehaving::{Manner, Misbehaving};
use super::receiver::Receiver;
use super::scenario::{Bench, EVENT};

/// How many times longer the p99 of the well-behaved may be.
const LIMIT: f64 = 1.2;
const WELL_BEHAVED: usize = 97;

impl Bench {
    /// Three bad neighbours of ninety-seven hooks; all of them get every event.
    pub async fn neighbours(&self) -> anyhow::Result<()> {
        let rate = self.rate.div_ceil(WELL_BEHAVED as u32);
        let count = rate * self.phase.as_secs() as u32;
        let receiver = Receiver::of_hooks(WELL_BEHAVED, 2 * self.rounds * count)?;
        let (hookyard, directory) = self.open().await?;
        for url in &receiver.urls {
            hookyard.subscribe(Subscribe::new(url, EVENT)).await?;
        }
        let manners = [Manner::Hangs, Manner::Resets, Manner::Dribbles];
        let bad: Vec<Misbehaving> = manners.into_iter().map(Misbehaving::start).collect::<Result<_, _>>()?;

        let mut stretches = Vec::new();
        for round in 0..self.rounds {
            let without = self.stretch(&hookyard, EVENT, 2 * round * count, (count, rate)).await?;
            for neighbour in &bad {
                hookyard.subscribe(Subscribe::new(&neighbour.url, EVENT)).await?;
            }
            let with = self.stretch(&hookyard, EVENT, (2 * round + 1) * count, (count, rate)).await?;
            for neighbour in &bad {
                let which = Which::Url { url: neighbour.url.clone(), event: None };
                hookyard.unsubscribe(&AccountId::default_account(), which).await?;
            }
            stretches.push((without, with));
        }
        let arrivals = receiver.all_once().await?;
        let mut comparison = Comparison::new("neighbours", LIMIT);
        for (without, with) in stretches {
            comparison.add(arrivals.delays(without.events()), arrivals.delays(with.events()));
        }
        let met: Vec<String> = bad.iter().map(Misbehaving::met).collect();
        let text = format!(
            "{}\n{:10} {rate} events/s to each of {WELL_BEHAVED} hooks; {}",
            comparison.text(),
            "",
            met.join(", ")
        );
        self.tell(&comparison.json(), &text)?;
        self.close(hookyard, directory).await;
        comparison.verdict()
    }
}
