//! Attempts, and what became of messages at endpoints.

use actix_web::http::StatusCode;
use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse};
use serde::{Deserialize, Serialize};

use crate::account::{Account, Scope};
use crate::api::answer;
use crate::attempt::{Attempt, ErrorKind, Outcome};
use crate::clock::Timestamp;
use crate::filter::Channel;
use crate::hookyard::{
    Delivery, DeliveryStatus, Destination, Emitted, Listed, LookupError, Made, Order, Replay, ReplayError,
    Replayed,
};
use crate::id::{AttemptId, EndpointId, EventId, MessageId, TaskId};
use crate::subscription::Status as Standing;

use super::endpoints::{self, named as named_endpoint};
use super::input;
use super::messages::{self, named as named_message};
use super::refusal::{Fault, Refusal};
use super::repeating;
use super::visit::Visit;

/// How far back what failed can be delivered again, in days.
const RECOVERY_DAYS: u64 = 14;
/// By how much a caller's clock may be ahead of ours.
const TOLERANCE_MS: u64 = 5 * 60 * 1000;
/// The most bytes of payloads on one page; the rest is on the next.
const SHOWN_BYTES: usize = 8 << 20;
const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// Where a message stands at an endpoint, or how an attempt ended; a number on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Status {
    Success = 0,
    Pending = 1,
    Fail = 2,
    Sending = 3,
}

/// An attempt.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Shape<'a> {
    #[serde(serialize_with = "answer::text")]
    id: AttemptId,
    #[serde(serialize_with = "answer::text")]
    msg_id: MessageId,
    #[serde(serialize_with = "answer::text")]
    endpoint_id: EndpointId,
    url: &'a str,
    response: String,
    /// 0 where no answer came.
    response_status_code: u16,
    response_duration_ms: u32,
    status: u8,
    status_text: &'static str,
    /// Whether somebody asked for it; what is sent again is on a schedule of its own.
    trigger_type: u8,
    #[serde(serialize_with = "answer::precise")]
    timestamp: Timestamp,
}

/// A message and where it stands at an endpoint.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct MessageShape<'a> {
    #[serde(flatten)]
    message: messages::Shape<'a>,
    status: u8,
    status_text: &'static str,
    #[serde(serialize_with = "answer::precise_or_none")]
    next_attempt: Option<Timestamp>,
}

/// An endpoint and where a message stands at it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DestinationShape<'a> {
    #[serde(flatten)]
    endpoint: endpoints::Shape<'a>,
    status: u8,
    status_text: &'static str,
    #[serde(serialize_with = "answer::precise_or_none")]
    next_attempt: Option<Timestamp>,
}

/// What is to be delivered again.
#[derive(Deserialize)]
struct Recovery {
    since: String,
    until: Option<String>,
}

/// A recovery that has begun.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Task {
    #[serde(serialize_with = "answer::text")]
    id: TaskId,
    status: &'static str,
    task: &'static str,
    #[serde(serialize_with = "answer::precise")]
    updated_at: Timestamp,
}

/// Which attempts are shown.
struct Wanted {
    status: Option<Status>,
    /// The hundred of a status.
    class: Option<u16>,
    with_content: bool,
}

/// Lists the attempts made at an endpoint: of the newest message first.
pub async fn of_endpoint(request: HttpRequest) -> Result<HttpResponse, Refusal> {
    let visit = Visit::open(&request)?;
    let ((page, narrowed), wanted) = (visit.narrowed_page()?, Wanted::of(&visit)?);
    let (account, endpoint) = named_endpoint(&visit).await?;
    let stretch = page.stretch(Order::Descending)?;
    let keep = |attempt: &Attempt| wanted.includes(attempt);
    if wanted.is_of_none() {
        return Ok(page.answer(
            &Listed::<Made> { items: Vec::new(), more: false },
            |_| String::new(),
            |_| (),
        ));
    }
    let listed =
        visit.hookyard().attempts_of_endpoint(&account.id, &endpoint, &narrowed, stretch, keep).await?;
    Ok(page.answer(&listed, |made| made.id.to_string(), |made| wanted.show(made)))
}

/// Lists the attempts made for a message, newest first.
pub async fn of_message(request: HttpRequest) -> Result<HttpResponse, Refusal> {
    let visit = Visit::open(&request)?;
    let ((page, narrowed), wanted) = (visit.narrowed_page()?, Wanted::of(&visit)?);
    let (account, event) = named_message(&visit).await?;
    let endpoint = match visit.asked("endpoint_id") {
        Some(named) => Some(visit.hookyard().find_endpoint(&account.id, named).await?.id),
        None => None,
    };
    let is_on = |channel: &Channel| event.labels.channels.contains(channel);
    let is_about = narrowed.topics.include(event.receipt.event.as_str(), is_on);
    let mut made = visit.hookyard().attempts_of_event(&account.id, event.receipt.id).await?;
    let is_at = |one: &Made| endpoint.is_none_or(|endpoint| one.delivery.hook_id == endpoint);
    let is_in_time = |one: &Made| narrowed.accepted.contains(one.attempt.at);
    made.retain(|one| is_about && is_at(one) && is_in_time(one) && wanted.includes(&one.attempt));
    let stretch = page.stretch::<AttemptId>(Order::Descending)?;
    let at = stretch.behind.map(|id| made.iter().position(|one| one.id == id).ok_or_else(Refusal::not_found));
    let (at, count) = (at.transpose()?, made.len());
    let made = made.into_iter();
    let made = match stretch.order {
        Order::Ascending => made.take(at.unwrap_or(count)).rev().collect(),
        Order::Descending => made.skip(at.map_or(0, |at| at + 1)).collect(),
    };
    let listed = Listed::of(made, stretch.limit);
    Ok(page.answer(&listed, |made| made.id.to_string(), |made| wanted.show(made)))
}

/// Shows an attempt.
pub async fn get(request: HttpRequest) -> Result<HttpResponse, Refusal> {
    let visit = Visit::open(&request)?;
    let (_, made) = named(&visit).await?;
    Ok(answer::json(StatusCode::OK, &shape(&made, true)))
}

/// Forgets what the receiver answered to an attempt.
pub async fn expunge(request: HttpRequest) -> Result<HttpResponse, Refusal> {
    let visit = Visit::of_organisation(&request)?;
    let (account, made) = named(&visit).await?;
    visit.hookyard().expunge_attempt(&account.id, made.id).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// The attempt that the path names, and its application.
async fn named(visit: &Visit<'_>) -> Result<(Account, Made), Refusal> {
    let (account, event) = named_message(visit).await?;
    let id = visit.segment("attempt_id").parse().map_err(|_| Refusal::not_found())?;
    let made = visit.hookyard().attempt(&account.id, id).await?;
    if made.delivery.event_id != event.receipt.id {
        return Err(Refusal::not_found());
    }
    Ok((account, made))
}

/// Lists the messages for an endpoint, newest first, each with where it stands.
pub async fn messages_of_endpoint(request: HttpRequest) -> Result<HttpResponse, Refusal> {
    let visit = Visit::open(&request)?;
    let (page, narrowed) = visit.narrowed_page()?;
    let status = visit.asked("status").map(Status::read).transpose()?;
    let with_content = visit.asked_flag("with_content", true)?;
    let (account, endpoint) = named_endpoint(&visit).await?;
    let stretch = page.stretch::<MessageId>(Order::Descending)?.map(EventId::of);
    let stands = status.map(|status| match status {
        Status::Success => DeliveryStatus::Delivered,
        Status::Pending | Status::Sending => DeliveryStatus::Pending,
        Status::Fail => DeliveryStatus::Dead,
    });
    let keep = |delivery: &Delivery| status.is_none_or(|status| status == Status::of(delivery));
    let hookyard = visit.hookyard();
    let listed =
        hookyard.deliveries_of_endpoint(&account.id, &endpoint, &narrowed, stands, stretch, keep).await?;
    let mut found: Vec<(Emitted, Delivery)> = Vec::with_capacity(listed.items.len());
    let (mut bytes, mut more) = (0, listed.more);
    for delivery in listed.items {
        if bytes > SHOWN_BYTES {
            more = true;
            break;
        }
        let event = match hookyard.find_event(&account.id, &delivery.event_id.to_string()).await {
            // Retention has just let go of it.
            Err(LookupError::NotFound) => continue,
            event => event?,
        };
        let event = if with_content { event } else { event.without_data() };
        bytes += event.data.len();
        found.push((event, delivery));
    }
    let listed = Listed { items: found, more };
    let id = |(event, _): &(Emitted, Delivery)| MessageId::of(event.receipt.id).to_string();
    Ok(page.answer(&listed, id, |(event, delivery)| {
        let status = Status::of(delivery);
        let message = messages::shape(event, with_content);
        let (next_attempt, status_text) = (delivery.next_attempt_at, status.text());
        MessageShape { message, status: status as u8, status_text, next_attempt }
    }))
}

/// Lists the endpoints of a message, each with where it stands.
pub async fn destinations(request: HttpRequest) -> Result<HttpResponse, Refusal> {
    let visit = Visit::open(&request)?;
    let page = visit.page()?;
    let (account, event) = named_message(&visit).await?;
    let stretch = page.stretch(Order::Ascending)?;
    let listed = visit.hookyard().destinations(&account.id, event.receipt.id, stretch).await?;
    let id = |one: &Destination| EndpointId::of(one.endpoint.id).to_string();
    Ok(page.answer(&listed, id, |one| {
        let status = Status::of(&one.delivery);
        let (endpoint, next_attempt) = (endpoints::shape(&one.endpoint), one.delivery.next_attempt_at);
        DestinationShape { endpoint, status: status as u8, status_text: status.text(), next_attempt }
    }))
}

/// Delivers a message to an endpoint again, whether or not it wants such messages.
pub async fn resend(request: HttpRequest) -> Result<HttpResponse, Refusal> {
    let visit = Visit::open(&request)?;
    repeating::once(&visit, &request, async {
        let (account, event) = named_message(&visit).await?;
        let (_, endpoint) = named_endpoint(&visit).await?;
        if event.is_expunged {
            let why = "Unable to resend message. Payload is missing (probably expired).";
            return Err(Refusal::bad_request("missing_payload", why));
        }
        // One that is turned off gets nothing, and whoever asked is not told.
        if !matches!(endpoint.status, Standing::Deactivated { .. }) {
            visit.hookyard().resend(&account.id, event.receipt.id, endpoint.id).await?;
        }
        Ok(answer::json(StatusCode::ACCEPTED, &serde_json::json!({})))
    })
    .await
}

/// Delivers to an endpoint again what failed.
pub async fn recover(request: HttpRequest, payload: Payload) -> Result<HttpResponse, Refusal> {
    let visit = Visit::open(&request)?;
    let body = visit.body(payload).await?;
    repeating::once(&visit, &request, async {
        let account = visit.application(&[Scope::Hooks])?;
        let Recovery { since, until } = input::read(&body)?;
        let (since, until) =
            (moment("since", &since)?, until.map(|until| moment("until", &until)).transpose()?);
        let end = until.unwrap_or_else(Timestamp::now);
        if since.0 + RECOVERY_DAYS * DAY_MS + TOLERANCE_MS < end.0 {
            let why = format!("Cannot recover more than {RECOVERY_DAYS} days of messages");
            return Err(Refusal::invalid(Fault::body(["since"], why)));
        }
        let (_, endpoint) = named_endpoint(&visit).await?;
        if !matches!(endpoint.status, Standing::Deactivated { .. }) {
            let replay = Replay { since: Some(since), until, what: Replayed::Dead };
            visit.hookyard().replay(&account.id, endpoint.id, replay).await?;
        }
        let task = Task {
            id: TaskId::random(),
            status: "running",
            task: "endpoint.recover",
            updated_at: Timestamp::now(),
        };
        Ok(answer::json(StatusCode::ACCEPTED, &task))
    })
    .await
}

fn moment(field: &str, text: &str) -> Result<Timestamp, Refusal> {
    let wrong = || Refusal::invalid(Fault::shape([field], format!("{field}: invalid date-time")));
    Timestamp::parse(text).ok_or_else(wrong)
}

fn shape(made: &Made, with_content: bool) -> Shape<'_> {
    let Attempt { at, asked, outcome, duration_ms, response, .. } = &made.attempt;
    let (status, code, answered) = match outcome {
        Outcome::Answered { status, .. } => {
            let response = String::from_utf8_lossy(response).into_owned();
            (if outcome.is_success() { Status::Success } else { Status::Fail }, *status, response)
        }
        Outcome::Failed(kind) => (Status::Fail, 0, told(*kind).to_owned()),
    };
    Shape {
        id: made.id,
        msg_id: MessageId::of(made.delivery.event_id),
        endpoint_id: EndpointId::of(made.delivery.hook_id),
        url: made.delivery.url.normalized(),
        response: if with_content { answered } else { "{}".to_owned() },
        response_status_code: code,
        response_duration_ms: *duration_ms,
        status: status as u8,
        status_text: status.text(),
        trigger_type: u8::from(*asked),
        timestamp: *at,
    }
}

/// What is shown in the place of a response where none came.
fn told(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::Timeout => "request timed out",
        ErrorKind::Connect => "error making request: client error (Connect)",
        ErrorKind::Tls => "error making request: the TLS handshake failed",
        ErrorKind::Dns => "error resolving name: it has no address",
        ErrorKind::Blocked => "requests to this IP range are blocked (see the server configuration)",
        ErrorKind::Protocol => "error making request: the answer is not HTTP that can be used",
    }
}

impl Status {
    fn of(delivery: &Delivery) -> Self {
        match delivery.status {
            DeliveryStatus::Delivered => Self::Success,
            DeliveryStatus::Dead => Self::Fail,
            DeliveryStatus::Pending if delivery.attempts > 0 => Self::Sending,
            DeliveryStatus::Pending => Self::Pending,
        }
    }

    fn text(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Pending => "pending",
            Self::Fail => "fail",
            Self::Sending => "sending",
        }
    }

    fn read(text: &str) -> Result<Self, Refusal> {
        let all = [Self::Success, Self::Pending, Self::Fail, Self::Sending];
        let number: Option<usize> = text.parse().ok();
        number.and_then(|number| all.get(number).copied()).ok_or_else(Refusal::query)
    }
}

impl Wanted {
    fn of(visit: &Visit<'_>) -> Result<Self, Refusal> {
        let class = visit.asked("status_code_class").map(|class| match class.parse() {
            Ok(class @ (0 | 100 | 200 | 300 | 400 | 500)) => Ok(class),
            _ => Err(Refusal::query()),
        });
        Ok(Self {
            status: visit.asked("status").map(Status::read).transpose()?,
            class: class.transpose()?,
            with_content: visit.asked_flag("with_content", true)?,
        })
    }

    /// Whether no attempt can be among them: each has succeeded or failed.
    fn is_of_none(&self) -> bool {
        matches!(self.status, Some(Status::Pending | Status::Sending))
    }

    fn includes(&self, attempt: &Attempt) -> bool {
        let code = match attempt.outcome {
            Outcome::Answered { status, .. } => status,
            Outcome::Failed(_) => 0,
        };
        let status = if attempt.outcome.is_success() { Status::Success } else { Status::Fail };
        self.status.is_none_or(|wanted| wanted == status)
            && self.class.is_none_or(|class| (class..class + 100).contains(&code))
    }

    fn show<'a>(&self, made: &'a Made) -> Shape<'a> {
        shape(made, self.with_content)
    }
}

impl From<ReplayError> for Refusal {
    fn from(error: ReplayError) -> Self {
        match error {
            ReplayError::NotFound(_) | ReplayError::Deactivated | ReplayError::NotWanted => Self::not_found(),
            ReplayError::Unavailable(why) => why.into(),
        }
    }
}
