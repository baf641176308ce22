//! The service manager, when there is one: it is told what state the server is in (sd_notify(3)).

use sd_notify::NotifyState;
use tracing::warn;

/// Events are accepted, under the configuration in force.
pub fn ready() {
    tell(&[NotifyState::Ready]);
}

/// The configuration is being read again; [`ready`] says when that is over.
pub fn reloading() {
    match NotifyState::monotonic_usec_now() {
        // `Type=notify-reload` wants the time with it.
        Ok(now) => tell(&[NotifyState::Reloading, now]),
        Err(error) => warn!(%error, "there is no monotonic clock"),
    }
}

/// No more events are accepted.
pub fn stopping() {
    tell(&[NotifyState::Stopping]);
}

/// Nothing happens where no service manager listens.
fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        warn!(%error, "the service manager cannot be told");
    }
}
