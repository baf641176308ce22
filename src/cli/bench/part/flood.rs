//! A flood: a caller who emits as fast as the front door lets him, over many connections, until he is
//! stopped.

use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;

use actix_web::rt;
use actix_web::rt::task::JoinHandle;
use anyhow::Context;
use serde::{Deserialize, Serialize};

use super::generator::Connection;

/// What is sent, again and again.
#[derive(Clone, Serialize, Deserialize)]
pub struct Water {
    pub address: SocketAddr,
    /// A whole request.
    pub request: String,
    pub connections: u16,
}

/// A flood that goes on.
pub struct Flood {
    state: Rc<State>,
    callers: Vec<JoinHandle<anyhow::Result<()>>>,
}

/// What came of the requests of a flood.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Flooded {
    pub accepted: u64,
    /// There was no room for them.
    pub refused: u64,
}

#[derive(Default)]
struct State {
    is_over: Cell<bool>,
    flooded: Cell<Flooded>,
}

impl Flood {
    /// Begins.
    ///
    /// # Errors
    /// When there is no connection.
    pub async fn begin(water: Water) -> anyhow::Result<Self> {
        let (state, mut callers) = (Rc::new(State::default()), Vec::new());
        for _ in 0..water.connections {
            let connection = Connection::open(water.address).await?;
            callers.push(rt::spawn(pour(connection, water.request.clone(), state.clone())));
        }
        Ok(Self { state, callers })
    }

    /// Ends once the requests under way are answered.
    ///
    /// # Errors
    /// When one was answered otherwise than with yes or with no room.
    pub async fn end(self) -> anyhow::Result<Flooded> {
        self.state.is_over.set(true);
        for caller in self.callers {
            caller.await?.context("the flood")?;
        }
        Ok(self.state.flooded.get())
    }
}

async fn pour(mut connection: Connection, request: String, state: Rc<State>) -> anyhow::Result<()> {
    while !state.is_over.get() {
        let status = connection.ask(request.as_bytes(), |status| matches!(status, 202 | 429 | 503)).await?;
        let Flooded { accepted, refused } = state.flooded.get();
        state.flooded.set(match status {
            202 => Flooded { accepted: accepted + 1, refused },
            _ => Flooded { accepted, refused: refused + 1 },
        });
    }
    Ok(())
}
