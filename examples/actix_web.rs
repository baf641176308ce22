//! A web application that sends webhooks: its own routes, and beside them the API with which its customers subscribe.
//!
//! `cargo run --example actix_web -- 127.0.0.1:8081`

use std::error::Error;

use actix_web::error::{ErrorConflict, ErrorInternalServerError, ErrorServiceUnavailable};
use actix_web::{App, HttpResponse, HttpServer, post, web};
use hookyard::account::{AccountId, Scope};
use hookyard::event_type::EventTypeSpec;
use hookyard::hookyard::EmitError;
use hookyard::{Config, Event, Hookyard, api};
use serde::{Deserialize, Serialize};
use serde_json::json;

#[derive(Serialize, Deserialize)]
struct Order {
    number: u64,
    total_cents: u64,
}

/// Takes an order. Once it has answered, every subscriber is told of it, through restarts and power cuts.
#[post("/orders")]
async fn take_order(
    order: web::Json<Order>,
    hookyard: web::Data<Hookyard>,
) -> actix_web::Result<HttpResponse> {
    let event = Event::new("order_paid", &*order).map_err(ErrorInternalServerError)?;
    // The key makes it safe to send the order again: it is one event all the same.
    let event = event.idempotency_key(format!("order-{}", order.number));
    let receipt = hookyard.emit(event).await.map_err(refused)?;
    Ok(HttpResponse::Created().json(json!({"event": receipt.id.to_string(), "told": receipt.matched})))
}

fn refused(error: EmitError) -> actix_web::Error {
    match error {
        EmitError::Conflict => ErrorConflict(error),
        _ => ErrorServiceUnavailable(error),
    }
}

#[actix_web::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8081".to_owned());
    let order_paid = EventTypeSpec {
        name: "order_paid".to_owned(),
        description: "a customer paid an order".to_owned(),
        example: json!({"number": 1, "total_cents": 1999}),
        schema: None,
    };
    // `dev` allows receivers on this machine; leave it out in production.
    let hookyard = Hookyard::open(Config::new("data").dev().event_type(order_paid)).await?;

    // What a customer gets, to subscribe with. Only its hash is kept.
    let account = AccountId::default_account();
    let (_, key) = hookyard.create_key(&account, vec![Scope::Hooks], "for trying out".to_owned()).await?;

    let shared = hookyard.clone();
    let server = HttpServer::new(move || {
        App::new()
            .app_data(web::Data::new(shared.clone()))
            .service(take_order)
            .service(web::scope("/webhooks").configure(api::routes(shared.clone())))
    })
    .bind(address)?;
    println!("listening on http://{}", server.addrs()[0]);
    println!("subscribe at /webhooks/api/v1/hooks/subscribe with the key {}", key.reveal());

    // Ends at Ctrl-C or SIGTERM, when the requests that were begun are answered; the deliveries end after them.
    server.run().await?;
    hookyard.shutdown().await;
    Ok(())
}
