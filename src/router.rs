//! The router: the actor that decides which subscriptions an event goes to.
//!
//! It queues changes of subscriptions to the writer in the order in which it decided them on its [`board`], and so do
//! those who emit with their events, at the [`desk`]: what an event matched is what was subscribed when it came. Once
//! events are durable it hands them to the shards that keep the subscribers. If the board and the store part, the router
//! ends, and the runtime starts another from the store.

pub mod board;
pub mod desk;
pub mod index;
mod message;
pub mod notice;

use std::sync::Arc;

use actix::{Actor, ActorContext, Addr, Context, Handler, MessageResult};
use smallvec::SmallVec;
use tokio::sync::{mpsc, oneshot};

use crate::clock::Timestamp;
use crate::condition::{Condition, Data};
use crate::id::SubscriptionNo;
use crate::shard::{self, Due, GiveUp, Shard};
use crate::store::readers::gone;
use crate::store::{Answer, Error};
use crate::subscription::Subscription;

use self::board::{Decided, Place, Told};
use self::desk::Desk;
pub use self::index::Numbers;
pub use self::message::{
    Add, Again, Change, Committed, End, Match, New, Ping, Replay, Rotate, SetHeaders, SetPaused, Subscribe,
    Subscribed, Taken, Try, Unsubscribe, Wake, Which,
};

/// The actor.
pub struct Router {
    desk: Arc<Desk>,
    shards: Vec<Addr<Shard>>,
    /// Told when the router is gone.
    _ended: Ended,
}

/// Tells the runtime, by being dropped, that a router ended.
pub struct Ended(pub mpsc::UnboundedSender<()>);

/// A shard's answer that it has done as told.
type Heard = std::pin::Pin<Box<dyn Future<Output = ()>>>;

impl Router {
    /// A router that decides at this desk; what waits is handed to the shards.
    pub fn new(
        desk: Arc<Desk>,
        waiting: Vec<(SubscriptionNo, Timestamp)>,
        shards: Vec<Addr<Shard>>,
        ended: Ended,
    ) -> Self {
        let due = desk.board().due(waiting);
        for (shard, due) in shards.iter().zip(due) {
            shard.do_send(Due(due));
        }
        Self { desk, shards, _ended: ended }
    }

    /// Queues what was decided and tells the shards; the answers come from the future, once each that must stop
    /// something has.
    fn carry_out(&self, decided: Decided) -> impl Future<Output = Result<Vec<Answer>, Error>> + use<> {
        let (reply, answers) = oneshot::channel();
        self.desk.store().write(decided.verbs, None, reply);
        let heard = self.tell(decided.told);
        async {
            for heard in heard {
                heard.await;
            }
            answers.await.unwrap_or_else(|_| Err(gone()))
        }
    }

    /// The same for a single verb that answers with a subscription.
    fn carry_out_one(
        &self,
        decided: Decided,
    ) -> impl Future<Output = Result<Option<Box<Subscription>>, Error>> + use<> {
        let answers = self.carry_out(decided);
        async move {
            match answers.await?.pop() {
                Some(Answer::Subscription(subscription)) => Ok(subscription),
                _ => Err(Error::damaged("another answer than a subscription")),
            }
        }
    }

    /// Tells shards; returns the answers of those that stop something.
    fn tell(&self, told: SmallVec<[(Place, Told); 1]>) -> Vec<Heard> {
        let mut heard = Vec::new();
        for (place, told) in told {
            let shard = &self.shards[place];
            match told {
                Told::Wake(at) => shard.do_send(shard::Wake(at)),
                Told::Verdict(at) => shard.do_send(shard::Verdict(at)),
                Told::Pause(at) => heard.push(done(shard.clone().send(shard::Pause(at)))),
                Told::Remove(at) => heard.push(done(shard.clone().send(shard::Remove(at)))),
            }
        }
        heard
    }
}

/// Waits for a shard; one that has ended starts and sends nothing any more.
fn done<T: 'static>(answer: impl Future<Output = T> + 'static) -> Heard {
    Box::pin(async { drop(answer.await) })
}

impl Actor for Router {
    type Context = Context<Self>;
}

impl Drop for Router {
    fn drop(&mut self) {
        self.desk.close();
    }
}

impl Drop for Ended {
    fn drop(&mut self) {
        // The runtime may have ended first.
        let _ = self.0.send(());
    }
}

impl Handler<Committed> for Router {
    type Result = ();

    fn handle(&mut self, Committed { events, credits }: Committed, _: &mut Context<Self>) {
        let shares = self.desk.board().shares(&events);
        let credits = Arc::new(credits);
        for (shard, share) in self.shards.iter().zip(shares) {
            if !share.deliveries.is_empty() {
                shard.do_send(shard::Forward { deliveries: share.deliveries, credits: credits.clone() });
            }
        }
    }
}

impl Handler<Subscribe> for Router {
    type Result = ();

    fn handle(&mut self, wish: Subscribe, _: &mut Context<Self>) {
        let mut board = self.desk.board();
        let Some((decided, was)) = board.subscribe(&wish, Timestamp::now()) else {
            return;
        };
        let recorded = self.carry_out_one(decided);
        let subscribed = async move {
            let subscription = recorded.await?.ok_or_else(gone)?;
            Ok(Subscribed { subscription, was })
        };
        answer(subscribed, wish.reply);
    }
}

impl Handler<Add> for Router {
    type Result = ();

    fn handle(&mut self, Add { account, new, reply }: Add, _: &mut Context<Self>) {
        let mut board = self.desk.board();
        match board.add(account, *new, Timestamp::now()) {
            Ok(Some(decided)) => {
                let recorded = self.carry_out_one(decided);
                answer(async move { Ok(Ok(recorded.await?.ok_or_else(gone)?)) }, reply);
            }
            // The account is being deleted.
            Ok(None) => {}
            // Whoever hung up does not want it.
            Err(taken) => drop(reply.send(Ok(Err(taken)))),
        }
    }
}

impl Handler<Change> for Router {
    type Result = ();

    fn handle(&mut self, Change { at, edit, enabled, reply }: Change, _: &mut Context<Self>) {
        let mut board = self.desk.board();
        match board.edit(at, *edit, enabled) {
            Ok(Some(decided)) => {
                let recorded = self.carry_out_one(decided);
                answer(async move { Ok(Ok(recorded.await?)) }, reply);
            }
            // Whoever hung up wants neither.
            Ok(None) => drop(reply.send(Ok(Ok(None)))),
            Err(taken) => drop(reply.send(Ok(Err(taken)))),
        }
    }
}

impl Handler<Unsubscribe> for Router {
    type Result = ();

    fn handle(&mut self, Unsubscribe { account, which, reply }: Unsubscribe, _: &mut Context<Self>) {
        let mut board = self.desk.board();
        let decided = board.unsubscribe(account, which);
        let count = decided.verbs.len();
        let recorded = self.carry_out(decided);
        answer(async move { recorded.await.map(|_| count) }, reply);
    }
}

impl Handler<SetPaused> for Router {
    type Result = ();

    fn handle(&mut self, SetPaused { at, paused, reply }: SetPaused, _: &mut Context<Self>) {
        let mut board = self.desk.board();
        match board.set_paused(at, paused) {
            Some(decided) => answer(self.carry_out_one(decided), reply),
            // Whoever hung up does not want it.
            None => drop(reply.send(Ok(None))),
        }
    }
}

impl Handler<Rotate> for Router {
    type Result = ();

    fn handle(&mut self, wish: Rotate, _: &mut Context<Self>) {
        let board = self.desk.board();
        answer(self.carry_out_one(board.rotate(&wish)), wish.reply);
    }
}

impl Handler<SetHeaders> for Router {
    type Result = ();

    fn handle(&mut self, SetHeaders { at, headers, reply }: SetHeaders, _: &mut Context<Self>) {
        let board = self.desk.board();
        answer(self.carry_out_one(board.set_headers(at, headers)), reply);
    }
}

impl Handler<Replay> for Router {
    type Result = ();

    fn handle(&mut self, Replay { at, reply }: Replay, _: &mut Context<Self>) {
        let board = self.desk.board();
        answer(self.carry_out_one(board.replay(at)), reply);
    }
}

impl Handler<Wake> for Router {
    type Result = ();

    fn handle(&mut self, Wake(named): Wake, _: &mut Context<Self>) {
        let told = self.desk.board().wake(named);
        self.tell(told);
    }
}

impl Handler<Match> for Router {
    type Result = MessageResult<Match>;

    fn handle(&mut self, wanted: Match, _: &mut Context<Self>) -> Self::Result {
        let Match { account, event_type, channels, body } = wanted;
        // Before the board is locked: it may take a while.
        let data = Data::read(body.data());
        let holds = |condition: &Condition| data.as_ref().is_some_and(|data| condition.holds_of(data));
        MessageResult(self.desk.board().index.matches(account, &event_type, &channels, holds))
    }
}

impl Handler<Again> for Router {
    type Result = ();

    fn handle(&mut self, Again(again): Again, _: &mut Context<Self>) {
        let place = self.desk.board().place_of(again.at.subscription);
        if let Some(place) = place {
            self.shards[place].do_send(again);
        }
    }
}

impl Handler<Try> for Router {
    type Result = ();

    fn handle(&mut self, Try(wish): Try, _: &mut Context<Self>) {
        let place = self.desk.board().place_of(wish.subscription.no);
        if let Some(place) = place {
            self.shards[place].do_send(wish);
        }
    }
}

/// Sends an answer on once it is there.
fn answer<T: 'static>(
    answered: impl Future<Output = Result<T, Error>> + 'static,
    reply: oneshot::Sender<Result<T, Error>>,
) {
    actix_rt::spawn(async move {
        // Whoever hung up does not want it.
        let _ = reply.send(answered.await);
    });
}

impl Handler<Ping> for Router {
    type Result = ();

    fn handle(&mut self, _: Ping, _: &mut Context<Self>) {}
}

impl Handler<End> for Router {
    type Result = ();

    fn handle(&mut self, _: End, ctx: &mut Context<Self>) {
        self.desk.close();
        ctx.stop();
    }
}

impl Handler<GiveUp> for Router {
    type Result = ();

    fn handle(&mut self, given_up: GiveUp, _: &mut Context<Self>) {
        let mut board = self.desk.board();
        let decided = board.give_up(given_up, Timestamp::now());
        let recorded = self.carry_out(decided);
        // Nobody waits for it; should it fail, the store says so.
        actix_rt::spawn(async move { drop(recorded.await) });
    }
}

/// Ends somebody by a panic.
#[cfg(test)]
#[derive(actix::Message)]
#[rtype(result = "()")]
pub enum Crash {
    Router,
    Shards,
    Subscribers,
}

#[cfg(test)]
impl Handler<Crash> for Router {
    type Result = ();

    fn handle(&mut self, crash: Crash, _: &mut Context<Self>) {
        match crash {
            Crash::Router => panic!("a router crashes because a test wants it to"),
            Crash::Shards => self.shards.iter().for_each(|shard| shard.do_send(shard::Crash)),
            Crash::Subscribers => {
                self.shards.iter().for_each(|shard| shard.do_send(crate::subscriber::Crash));
            }
        }
    }
}
