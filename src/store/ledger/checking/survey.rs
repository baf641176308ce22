//! The survey: all rows once, each by itself, and what there is for others to refer to.

use std::collections::{HashMap, HashSet};

use super::Invariant::{
    BlocksAreOrdered, BlocksAreWhole, NothingIsTwice, NumbersAreFresh, RowsAreKnown, ValuesCanBeRead,
};
use super::{Checked, Findings};
use crate::account::{Account, ApiKey};
use crate::event_type::Declaration;
use crate::filter::Channel;
use crate::health::Health;
use crate::id::{AccountNo, EventNo, Seal, SubscriptionNo};
use crate::store::ledger::blocks::{self, IN_PIECES, PART_BITS};
use crate::store::ledger::encrypting::SealedUnder;
use crate::store::ledger::keys::{self, Block, Kind};
use crate::store::ledger::table::Table;
use crate::store::ledger::values::{
    AttemptChapterV1, Counters, EventBlock, EventChapterV1, Moved, SettlementBlock, Tallied, ToldV1, Usage,
    Value, decode, decode_outline,
};
use crate::store::tail::Cursor;
use crate::store::{Address, Error};

/// What a store holds.
#[derive(Default)]
pub struct Survey {
    pub accounts: HashMap<AccountNo, String>,
    pub hooks: HashMap<SubscriptionNo, AccountNo>,
    /// Hooks that are gone, with what they left.
    pub gone: HashSet<SubscriptionNo>,
    /// By their first event.
    pub blocks: Vec<Extent>,
    pub cursor: Option<Cursor>,
    pub counters: Option<Counters>,
    /// The last commit that there is a trace of.
    pub last_commit: u64,
    /// Each hook's account, URL and events.
    wishes: HashMap<(AccountNo, String), SubscriptionNo>,
    rows: u64,
    /// Whether all rows could be read.
    pub is_whole: bool,
    /// The block whose head was seen last, and whether it lies in pieces.
    head: Option<(Block, u64, bool)>,
}

/// Events that lie together.
#[derive(Clone, Copy)]
pub struct Extent {
    pub first: u64,
    pub count: u64,
    pub commit: u64,
}

impl Extent {
    /// The number behind its last.
    pub fn end(&self) -> u64 {
        self.first + self.count
    }
}

impl Survey {
    /// Looks at every row of a store.
    pub fn of(table: &Table, seal: &Seal, findings: &mut Findings<'_>) -> Self {
        let mut survey = Self { is_whole: true, ..Self::default() };
        for row in table.iter() {
            let (key, value) = match row {
                Ok(row) => row,
                Err(error) => {
                    let seen = survey.rows;
                    findings.say(ValuesCanBeRead, format_args!("what follows row {seen}: {error}"));
                    survey.is_whole = false;
                    continue;
                }
            };
            survey.rows += 1;
            match keys::kind(&key) {
                None => findings.say(RowsAreKnown, format_args!("{}", key.escape_ascii())),
                Some(Kind::Block(kind)) => survey.block(table, seal, kind, &key, &value, findings),
                Some(kind) => {
                    if let Err(error) = survey.record(kind, &key, &value, findings) {
                        findings.say(ValuesCanBeRead, format_args!("{}: {error}", name(kind, &key)));
                    }
                }
            }
        }
        survey
    }

    /// Whether there is such an event.
    pub fn has_event(&self, event: EventNo) -> bool {
        let behind = self.blocks.partition_point(|block| block.first <= event.0);
        behind.checked_sub(1).is_some_and(|at| event.0 < self.blocks[at].end())
    }

    /// The number that the next event gets.
    pub fn next_event(&self) -> u64 {
        let end = self.blocks.last().map_or(1, Extent::end);
        end.max(self.cursor.map_or(1, |cursor| cursor.event.0))
    }

    pub fn checked(&self) -> Checked {
        let events = self.blocks.iter().map(|block| block.count).sum();
        Checked { rows: self.rows, events, hooks: self.hooks.len() as u64, violations: 0 }
    }

    /// A row that stands by itself. What refers to others is looked at once they are known.
    fn record(
        &mut self,
        kind: Kind,
        key: &[u8],
        value: &[u8],
        findings: &mut Findings<'_>,
    ) -> Result<(), Error> {
        match kind {
            Kind::Schema => drop(decode::<u32>(value)?),
            Kind::Seal => drop(decode::<[u8; 32]>(value)?),
            Kind::Counted => drop(decode::<u64>(value)?),
            Kind::Counters => self.counters = Some(decode(value)?),
            Kind::Cursor => self.cursor = Some(Cursor::decode(value, ())?),
            Kind::Keyed => drop(decode::<u64>(value)?),
            Kind::Usage => self.note_commit(decode::<Usage>(value)?.commit),
            Kind::Time => drop(decode::<u64>(value)?),
            Kind::Account => self.account(Account::decode(value, keys::rest(key).to_vec())?, findings),
            Kind::EventType => drop(Declaration::decode(value, keys::rest(key).to_vec())?),
            Kind::ApiKey => drop(ApiKey::decode(value, keys::rest(key).to_vec())?),
            Kind::Garbage => self.gone.extend(keys::read_numbered(key)),
            Kind::Health => drop(Health::decode(value, ())?),
            Kind::Hours => drop(Tallied::decode(value, ())?),
            Kind::SealedUnder => drop(decode::<SealedUnder>(value)?),
            Kind::Subscription => self.hook(key, value, findings)?,
            Kind::Block(_) | Kind::Pair(_) => {}
        }
        Ok(())
    }

    fn account(&mut self, account: Account, findings: &mut Findings<'_>) {
        let (no, id) = (account.no, account.id.to_string());
        if let Some(other) = self.accounts.insert(no, id.clone()) {
            findings.say(NothingIsTwice, format_args!("accounts {other} and {id} have the number {}", no.0));
        }
    }

    fn hook(&mut self, key: &[u8], value: &[u8], findings: &mut Findings<'_>) -> Result<(), Error> {
        let Address { account, subscription: no } =
            keys::read_subscription(key).ok_or_else(|| Error::damaged("the key of a hook"))?;
        // Nobody needs a master key to check a store.
        let hook = decode_outline(value)?;
        if self.hooks.insert(no, account).is_some() {
            findings.say(NothingIsTwice, format_args!("two hooks have the number {}", no.0));
        }
        let events: Vec<&str> =
            hook.filter.event_types().unwrap_or_default().iter().map(|event| event.as_str()).collect();
        let channels: Vec<&str> = hook.filter.channels().iter().map(Channel::as_str).collect();
        let wish = format!("{} {}\n{}", hook.url.normalized(), events.join(" "), channels.join(" "));
        let wish = (account, wish);
        if hook.is_documented
            && let Some(other) = self.wishes.insert(wish, no)
        {
            findings.say(NothingIsTwice, format_args!("hooks {} and {} want the same", other.0, no.0));
        }
        Ok(())
    }

    /// A row of a block: its head, with which all of it is read, or a piece.
    fn block(
        &mut self,
        table: &Table,
        seal: &Seal,
        kind: Block,
        key: &[u8],
        value: &[u8],
        findings: &mut Findings<'_>,
    ) {
        let Some((no, piece)) = Block::read(key) else { return };
        let name = name(Kind::Block(kind), key);
        if piece > 0 {
            if self.head != Some((kind, no, true)) {
                findings.say(BlocksAreWhole, format_args!("{name}: piece {piece} belongs to nothing"));
            }
            return;
        }
        self.head = Some((kind, no, value.first() == Some(&IN_PIECES)));
        let bytes = match blocks::get(table, kind, no) {
            Ok(bytes) => bytes.unwrap_or_default(),
            Err(error) => return findings.say(BlocksAreWhole, format_args!("{name}: {error}")),
        };
        let read = match kind {
            Block::Events => self.events(seal, no, &bytes, findings),
            Block::Settlements => self.settlements(no, &bytes, findings),
            Block::EventChapter => decode::<EventChapterV1>(&bytes).map(drop),
            Block::AttemptChapter => decode::<AttemptChapterV1>(&bytes).map(drop),
            Block::Told => decode::<Vec<ToldV1>>(&bytes).map(drop),
            // They are read by the directory.
            Block::Postings => Ok(()),
        };
        if let Err(error) = read {
            findings.say(ValuesCanBeRead, format_args!("{name}: {error}"));
        }
    }

    fn events(
        &mut self,
        seal: &Seal,
        first: u64,
        bytes: &[u8],
        findings: &mut Findings<'_>,
    ) -> Result<(), Error> {
        let block = EventBlock::decode(bytes)?;
        let next_hook = self.counters.map_or(1, |counters| counters.next_subscription);
        for (no, event) in (first..).zip(&block.events) {
            let event = event.load(EventNo(no), seal).ok_or_else(|| Error::damaged("an event"))?;
            let latest = event.matches.last().map_or(0, |matched| matched.subscription.0);
            if latest >= next_hook {
                findings.say(NumbersAreFresh, format_args!("event {no} matched hook {latest}"));
            }
        }
        let extent = Extent { first, count: block.events.len() as u64, commit: block.commit };
        if let Some(before) = self.blocks.last() {
            if before.end() > first {
                let (last, before) = (before.end() - 1, before.first);
                findings.say(
                    BlocksAreOrdered,
                    format_args!("the events from {before} go to {last}, and others begin at {first}"),
                );
            }
            if before.commit > extent.commit {
                findings.say(
                    BlocksAreOrdered,
                    format_args!("the events from {first} are older than those before them"),
                );
            }
        }
        self.blocks.push(extent);
        self.note_commit(extent.commit);
        Ok(())
    }

    fn note_commit(&mut self, commit: u64) {
        self.last_commit = self.last_commit.max(commit);
    }

    fn settlements(&mut self, no: u64, bytes: &[u8], findings: &mut Findings<'_>) -> Result<(), Error> {
        let block = SettlementBlock::decode(bytes)?;
        self.note_commit(no >> PART_BITS);
        let next_hook = self.counters.map_or(1, |counters| counters.next_subscription);
        let settled = block.settled.iter().map(|settled| settled.delivery());
        let moved = block.parked.iter().chain(&block.replayed);
        let moved = moved.map(Moved::delivery);
        for (event, hook) in settled.chain(moved) {
            if event.0 >= self.next_event() || hook.0 >= next_hook {
                findings.say(
                    NumbersAreFresh,
                    format_args!("commit {} names event {} and hook {}", no >> PART_BITS, event.0, hook.0),
                );
            }
        }
        Ok(())
    }
}

/// What a person calls a row.
fn name(kind: Kind, key: &[u8]) -> String {
    let number = |what: &str| {
        let no = key.get(1..9).and_then(|no| no.try_into().ok()).map_or(0, u64::from_be_bytes);
        format!("{what} {no}")
    };
    match kind {
        Kind::Schema => "the schema version".to_owned(),
        Kind::Seal => "the seal".to_owned(),
        Kind::Counted => "up to where attempts are counted".to_owned(),
        Kind::Counters => "the counters".to_owned(),
        Kind::Cursor => "the cursor".to_owned(),
        Kind::Usage => "the bytes of blocks".to_owned(),
        Kind::Keyed => "the latest event with an idempotency key".to_owned(),
        Kind::SealedUnder => "the master keys in use".to_owned(),
        Kind::Time => "the time".to_owned(),
        Kind::Account => format!("account {}", keys::rest(key).escape_ascii()),
        Kind::EventType => format!("event type {}", keys::rest(key).escape_ascii()),
        Kind::ApiKey => format!("the key with hash {}", hex::encode(keys::rest(key))),
        Kind::Block(Block::Events) => number("the events from"),
        Kind::Block(Block::EventChapter | Block::Postings) => number("the chapter of the events from"),
        Kind::Block(Block::AttemptChapter | Block::Told) => number("the chapter of attempts from"),
        Kind::Block(Block::Settlements) => {
            let no = Block::read(key).map_or(0, |(no, _)| no);
            format!("commit {}, part {}", no >> PART_BITS, no & ((1 << PART_BITS) - 1))
        }
        Kind::Garbage => number("what is left of hook"),
        Kind::Health => number("the health of hook"),
        Kind::Hours => number("the attempts by the hour of hook"),
        Kind::Pair(_) => number("what waits for hook"),
        Kind::Subscription => {
            format!("hook {}", keys::read_subscription(key).map_or(0, |at| at.subscription.0))
        }
    }
}
