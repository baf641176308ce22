//! The answers: statuses in turn, the last of them ever after.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, rt};

pub struct Answers {
    statuses: Vec<StatusCode>,
    given: AtomicUsize,
    body: String,
    delay: Duration,
}

impl Answers {
    /// Answers these statuses, with this body, after this delay.
    pub fn new(statuses: &[u16], body: String, delay: Duration) -> Self {
        let statuses = statuses.iter().filter_map(|status| StatusCode::from_u16(*status).ok()).collect();
        Self { statuses, given: AtomicUsize::new(0), body, delay }
    }

    /// The status of the next answer.
    pub fn next(&self) -> StatusCode {
        let given = self.given.fetch_add(1, Ordering::Relaxed);
        self.statuses.get(given).or(self.statuses.last()).copied().unwrap_or_default()
    }

    /// The answer, when it is time for it.
    pub async fn give(&self, status: StatusCode) -> HttpResponse {
        rt::time::sleep(self.delay).await;
        HttpResponse::build(status).body(self.body.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_status_is_answered_ever_after() {
        let answers = Answers::new(&[500, 503, 200], String::new(), Duration::ZERO);
        let given = [(); 5].map(|()| answers.next().as_u16());
        assert_eq!(given, [500, 503, 200, 200, 200]);
    }
}
