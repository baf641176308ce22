//! A program that sends webhooks itself, with no server beside it:
//!
//! `cargo run --no-default-features --example embedded -- http://127.0.0.1:9000/`

use std::error::Error;
use std::time::Duration;

use hookyard::account::AccountId;
use hookyard::event_type::EventTypeSpec;
use hookyard::{Config, Event, Hookyard, Subscribe};
use serde::Serialize;
use serde_json::json;

#[derive(Serialize)]
struct Order {
    number: u64,
    total_cents: u64,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let url = std::env::args().nth(1).ok_or("give the URL of a receiver")?;
    let order_paid = EventTypeSpec {
        name: "order_paid".to_owned(),
        description: "a customer paid an order".to_owned(),
        example: json!({"number": 1, "total_cents": 1999}),
        schema: None,
    };
    // `dev` allows receivers on this machine; leave it out in production.
    let hookyard = Hookyard::open(Config::new("data").dev().event_type(order_paid)).await?;

    let hook = hookyard.subscribe(Subscribe::new(url, "order_paid")).await?.hook.subscription;
    let order = Order { number: 42, total_cents: 1999 };
    let receipt = hookyard.emit(Event::new("order_paid", &order)?).await?; // durable when this returns
    println!("{} matched {} hooks", receipt.id, receipt.matched);

    // Only this program is in a hurry to end: what a shutdown leaves is sent after the next start.
    let account = AccountId::default_account();
    while hookyard.hook(&account, hook.id).await?.pending > 0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    hookyard.shutdown().await;
    Ok(())
}
