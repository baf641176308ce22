//! `hookyard bench-part`: what has a process of its own in a bench, so that nobody's cost hides in another's.
//!
//! It is not for people: a part takes orders from its standard input and reports to its standard output, a
//! line of JSON each. It ends when its input is closed, so that none outlives the bench that started it.

pub mod arrivals;
mod client;
pub mod disk;
pub mod embedded;
pub mod flood;
pub mod generator;
pub mod handler;
mod message;
pub mod misbehaving;
pub mod orders;
mod pace;
pub mod receiver;
pub mod revenant;
mod tally;

use std::io;

use actix_web::rt::System;
use clap::ValueEnum;

use self::disk::Disk;
use self::embedded::Embedded;
use self::generator::Generator;
use self::handler::Handler;
use self::misbehaving::Misbehaving;
use self::orders::Orders;
use self::receiver::Receiver;
use self::revenant::Revenant;
use super::super::{Failure, descriptors};

/// A part of a bench
#[derive(Debug, clap::Args)]
pub struct Part {
    #[arg(value_enum)]
    role: Role,
}

/// What a part does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Role {
    Receiver,
    Generator,
    Handler,
    Embedded,
    Disk,
    /// Receivers that hang, reset connections and dribble.
    Misbehaving,
    /// A receiver that is dead, and then is back.
    Revenant,
}

/// Connections of a part; none has more.
const CONNECTIONS: usize = 1 << 16;

impl Part {
    /// Follows orders until there are no more.
    ///
    /// # Errors
    /// When nobody reads the reports.
    pub fn run(self) -> Result<(), Failure> {
        descriptors::raise(CONNECTIONS);
        let orders = Orders::from_stdin().map_err(|error: io::Error| Failure::other(error.to_string()))?;
        let followed = System::new().block_on(async {
            match self.role {
                Role::Receiver => orders.follow(Receiver::default()).await,
                Role::Generator => orders.follow(Generator::default()).await,
                Role::Handler => orders.follow(Handler).await,
                Role::Embedded => orders.follow(Embedded::default()).await,
                Role::Disk => orders.follow(Disk).await,
                Role::Misbehaving => orders.follow(Misbehaving::default()).await,
                Role::Revenant => orders.follow(Revenant::default()).await,
            }
        });
        Ok(followed?)
    }
}

impl Role {
    /// Its name on the command line.
    pub fn name(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }
}
