//! How fast a router is, and what it is held against.

use std::time::Duration;

use anyhow::Context;

use super::counted::Counted;
use super::course::Bench;
use super::destination::{Destination, Place};
use super::figures::Figures;
use super::finish::Finish;
use super::footprint::Footprint;
use super::monotonic::now_ns;
use super::part::arrivals::{Expected, Fan};
use super::part::disk::{self, Medium};
use super::part::embedded;
use super::part::generator::{Load, Order, Sent};
use super::part::{Role, handler};
use super::request::{self, EVENT, Emit};
use super::router::{Router, configure};
use super::template::data;

/// How events go through a router.
pub struct Shape {
    pub events: u32,
    pub connections: u16,
    pub hooks: u32,
    pub fan: Fan,
    pub place: Place,
    pub is_keyed: bool,
    /// Events a second, or as many as can be had.
    pub rate: Option<u32>,
}

/// How many hooks are subscribed one after the other; more are, over many connections.
const FEW_HOOKS: u32 = 200;
/// Where nobody listens; nothing is sent there.
const NOWHERE: &str = "http://127.0.0.1:9/";
/// What no event is of.
const OTHER: &str = "new_message";

impl Shape {
    /// One hook that gets all of so many events.
    pub fn plain(events: u32, connections: u16) -> Self {
        let (fan, place) = (Fan::All, Place::Ports(1));
        Self { events, connections, hooks: 1, fan, place, is_keyed: false, rate: None }
    }

    pub fn expected(&self) -> Expected {
        Expected { first: 0, events: self.events, hooks: self.hooks, fan: self.fan }
    }
}

impl Bench {
    /// The load generator straight into the receiver, or the router's client in its place.
    pub fn wire(&self, is_client: bool) -> anyhow::Result<Figures> {
        let mut destination = self.destination(Place::Ports(1))?;
        let (address, host, path) = destination.address()?;
        destination.expect(Expected::events(0, self.events), self.receiver_fault)?;
        let request = request::delivery(&host, &path, self.data_bytes);
        let load = Load { address, request, ..self.load(self.events, self.connections) };
        let mut generator = self.workshop.hand(Role::Generator)?;
        let shown = if is_client { Some(generator.id()) } else { destination.id() };
        let before = shown.map(Footprint::of).unwrap_or_default();
        let order = if is_client { Order::SendWithClient(load) } else { Order::Send(load) };
        let sent: Sent = generator.ask(&order)?;
        let arrived = destination.each_once(self.patience)?;
        let footprints = (before, shown.map(Footprint::of).unwrap_or_default());
        let things = self.events.into();
        Ok(Finish { sent, arrived, drained_ns: None, things, footprints }.figures())
    }

    /// The load generator into the least that a front door does.
    pub fn handler(&self) -> anyhow::Result<Figures> {
        let mut handler = self.workshop.hand(Role::Handler)?;
        let address = handler.ask(&handler::Order::Serve)?;
        let request = self.emit_request(EVENT, false);
        let load = Load { address, request, ..self.load(self.events, self.accept_connections) };
        let before = Footprint::of(handler.id());
        let sent: Sent = self.workshop.hand(Role::Generator)?.ask(&Order::Send(load))?;
        let footprints = (before, Footprint::of(handler.id()));
        let things = self.events.into();
        Ok(Finish { sent, arrived: None, drained_ns: None, things, footprints }.figures())
    }

    /// The bytes of the delivered bodies, in batches of as many as there are callers.
    pub fn disk(&self, medium: Medium) -> anyhow::Result<Figures> {
        let mut disk = self.workshop.hand(Role::Disk)?;
        let directory = self.workshop.directory()?;
        let bytes = request::delivered_body(self.data_bytes).len();
        let batch = self.callers.into();
        let before = Footprint::of(disk.id());
        let order = disk::Order { medium, directory: directory.clone(), events: self.events, batch, bytes };
        let sent: Sent = disk.ask(&order)?;
        let footprints = (before, Footprint::of(disk.id()));
        drop(disk);
        std::fs::remove_dir_all(directory).context("cannot remove what was written")?;
        let things = self.events.into();
        Ok(Finish { sent, arrived: None, drained_ns: None, things, footprints }.figures())
    }

    /// Events over HTTP, each durable and delivered.
    pub fn through(&self, shape: &Shape) -> anyhow::Result<Figures> {
        let mut destination = self.destination(shape.place)?;
        let router = Router::start(&self.workshop, &self.networks())?;
        self.subscribe(&router, &destination, shape)?;
        if shape.hooks > FEW_HOOKS {
            router.rest(self.patience)?;
        }
        destination.expect(shape.expected(), self.receiver_fault)?;
        let before = router.footprint();
        let sent = self.send(&router, shape)?;
        let arrived = destination.each_once(self.patience)?;
        let counted = router.drained(self.patience)?;
        let (footprints, drained_ns) = ((before, router.footprint()), now_ns());
        let deliveries = shape.expected().deliveries();
        counted.are(shape.events.into(), deliveries)?;
        // Nothing more comes once it has stopped.
        router.stop()?;
        destination.each_once(Duration::ZERO)?;

        let (has_hooks, things) = (deliveries > 0, deliveries.max(shape.events.into()));
        let (arrived, drained_ns) = (arrived.filter(|_| has_hooks), has_hooks.then_some(drained_ns));
        Ok(Finish { sent, arrived, drained_ns, things, footprints }.figures())
    }

    /// Events emitted in-process by many callers, each durable and, if there is a hook, delivered.
    pub fn embedded(&self, has_hook: bool) -> anyhow::Result<Figures> {
        let mut destination = self.destination(Place::Ports(1))?;
        let mut embedded = self.workshop.hand(Role::Embedded)?;
        let directory = self.workshop.directory()?;
        let (config, event) = (configure(&directory, &self.networks(), None)?, EVENT.to_owned());
        let (url, wanted) = match has_hook {
            true => (destination.url(0), event.clone()),
            false => (NOWHERE.to_owned(), OTHER.to_owned()),
        };
        embedded.ask::<()>(&embedded::Order::Open { config, url, event: wanted })?;
        let events = if has_hook { self.events } else { 0 };
        destination.expect(Expected::events(0, events), self.receiver_fault)?;
        let before = Footprint::of(embedded.id());
        let (data, callers) = (data(self.data_bytes), self.callers);
        let sent: Sent =
            embedded.ask(&embedded::Order::Emit { event, data, events: self.events, callers })?;
        let arrived = destination.each_once(self.patience)?;
        let patience_ms = self.patience.as_millis() as u64;
        let counted: Counted = embedded.ask(&embedded::Order::Drain { patience_ms })?;
        let (footprints, drained_ns) = ((before, Footprint::of(embedded.id())), now_ns());
        counted.are(self.events.into(), events.into())?;
        embedded.ask::<()>(&embedded::Order::Close)?;
        drop(embedded);
        destination.each_once(Duration::ZERO)?;
        std::fs::remove_dir_all(directory).context("cannot remove what the router kept")?;

        let (arrived, drained_ns) = (arrived.filter(|_| has_hook), has_hook.then_some(drained_ns));
        let things = self.events.into();
        Ok(Finish { sent, arrived, drained_ns, things, footprints }.figures())
    }

    /// Sends the events of a shape to a router.
    pub fn send(&self, router: &Router, shape: &Shape) -> anyhow::Result<Sent> {
        let request = match shape.fan {
            Fan::One => self.emit_request(&request::event_in_turn(), shape.is_keyed),
            Fan::All => self.emit_request(EVENT, shape.is_keyed),
        };
        let load = Load {
            address: router.address,
            request,
            hooks: shape.hooks,
            rate: shape.rate,
            ..self.load(shape.events, shape.connections)
        };
        self.workshop.hand(Role::Generator)?.ask(&Order::Send(load))
    }

    fn subscribe(&self, router: &Router, destination: &Destination, shape: &Shape) -> anyhow::Result<()> {
        if shape.hooks == 0 {
            router.subscribe(NOWHERE, OTHER, None)?;
        }
        if shape.hooks > FEW_HOOKS && shape.place == Place::Paths {
            let request = request::subscribe(&destination.base(), EVENT);
            let load = Load { address: router.address, request, ..self.load(shape.hooks, self.connections) };
            self.workshop.hand(Role::Generator)?.ask::<Sent>(&Order::Send(load))?;
            return Ok(());
        }
        for hook in 0..shape.hooks {
            let event = match shape.fan {
                Fan::One => request::event_of(hook),
                Fan::All => EVENT.to_owned(),
            };
            router.subscribe(&destination.url(hook), &event, None)?;
        }
        Ok(())
    }

    /// Events as fast as they can be had; where they go and what they are is still to be said.
    pub fn load(&self, events: u32, connections: u16) -> Load {
        let address = ([127, 0, 0, 1], 0).into();
        Load { address, request: String::new(), first: 0, events, hooks: 1, connections, rate: None }
    }

    pub fn emit_request(&self, event: &str, is_keyed: bool) -> String {
        Emit { event, account: None, data_bytes: self.data_bytes, is_keyed }.text()
    }
}
