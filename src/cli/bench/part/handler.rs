//! The handler: an actix-web server that reads the body and answers 202, which is the least that a front door
//! does.

use std::net::{Ipv4Addr, TcpListener};

use actix_web::{App, HttpResponse, HttpServer, rt, web};
use anyhow::Context;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::orders::Duty;

/// What a handler is told.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// Serve; the report is the address.
    Serve,
}

/// The handler.
pub struct Handler;

impl Duty for Handler {
    type Order = Order;

    async fn carry_out(&mut self, _: Order) -> anyhow::Result<Value> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("cannot listen")?;
        let address = listener.local_addr()?;
        let answer =
            || App::new().default_service(web::to(async |_: web::Bytes| HttpResponse::Accepted().finish()));
        rt::spawn(HttpServer::new(answer).tcp_nodelay(true).disable_signals().listen(listener)?.run());
        Ok(serde_json::to_value(address)?)
    }
}
