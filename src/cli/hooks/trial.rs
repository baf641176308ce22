//! Trying a hook out: what it would get, and what it answers to an example.

use super::super::client::{Client, Query};
use super::super::output::Output;
use super::super::output::cell::{Cell, visible};
use super::super::shown::Attempt;
use super::{Failure, PATH};

/// Has the example delivered once.
///
/// # Errors
/// When it was not delivered.
pub fn test(client: &Client, output: &mut Output, id: &str) -> Result<(), Failure> {
    let answer = client.act(&format!("{PATH}/{id}/test"))?;
    let attempt: Attempt = answer.decode()?;
    match output.is_json() {
        true => output.json(&answer.json)?,
        false => output.fields(&fields(&attempt))?,
    }
    match (attempt.status, attempt.error) {
        (Some(200..=299), _) => Ok(()),
        (Some(status), _) => Err(Failure::other(format!("the receiver answered {status}"))),
        (None, error) => Err(Failure::other(format!(
            "the receiver gave no answer: {}",
            visible(error.as_deref().unwrap_or("unknown"))
        ))),
    }
}

/// Shows payloads of an event type, one a line.
///
/// # Errors
/// When they cannot be had.
pub fn sample(client: &Client, output: &mut Output, event: &str) -> Result<(), Failure> {
    let answer = client.get(&format!("{PATH}/sample"), &Query::new().with("event", event))?;
    if output.is_json() {
        return output.json(&answer.json);
    }
    for payload in answer.entries()? {
        output.json(&payload)?;
    }
    Ok(())
}

fn fields(attempt: &Attempt) -> Vec<(&'static str, Cell)> {
    let mut fields = vec![("answer", Cell::answer(attempt.status, attempt.error.as_deref()))];
    fields.extend(attempt.duration_ms.map(|ms| ("took", Cell::new(format_args!("{ms} ms")))));
    fields.extend(attempt.response.as_ref().map(|response| ("response", Cell::new(response))));
    fields
}
