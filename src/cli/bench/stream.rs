//! A steady stream of events, in phases whose delays are compared with each other.

use std::net::SocketAddr;

use super::course::Bench;
use super::delays::Percentiles;
use super::destination::{Destination, Place};
use super::part::Role;
use super::part::arrivals::{Expected, Fan};
use super::part::generator::{Load, Order, Sent};
use super::workshop::Hand;

/// A stream to some hooks, from a load generator and to a receiver of its own.
pub struct Stream<'a> {
    bench: &'a Bench,
    generator: Hand,
    pub destination: Destination,
    load: Load,
    hooks: u32,
}

impl<'a> Stream<'a> {
    /// A stream to so many hooks; where its events are emitted is said later.
    ///
    /// # Errors
    /// When there are no processes for it.
    pub fn new(bench: &'a Bench, hooks: u32, rate: u32, events: u32) -> anyhow::Result<Self> {
        let destination = Destination::receiver(&bench.workshop, Place::Ports(hooks))?;
        let generator = bench.workshop.hand(Role::Generator)?;
        let load = Load { rate: Some(rate), ..bench.load(events, bench.connections) };
        Ok(Self { bench, generator, destination, load, hooks })
    }

    /// From now on these requests are sent, to this address.
    pub fn aim(&mut self, address: SocketAddr, request: String) {
        (self.load.address, self.load.request) = (address, request);
    }

    /// Sends the events of one phase and waits until each has arrived once at each hook; returns their
    /// delays.
    ///
    /// # Errors
    /// When one did not, or something of an earlier phase came again.
    pub fn phase(&mut self) -> anyhow::Result<Percentiles> {
        let Load { first, events, .. } = self.load;
        let expected = Expected { first, events, hooks: self.hooks, fan: Fan::All };
        self.destination.expect(expected, self.bench.receiver_fault)?;
        self.generator.ask::<Sent>(&Order::Send(self.load.clone()))?;
        self.load.first += events;
        let arrived = self.destination.each_once(self.bench.patience)?;
        Ok(arrived.map(|arrived| arrived.delays).unwrap_or_default())
    }
}
