//! An attempt under way, and what it is made with.

use std::rc::Rc;

use tokio::task::JoinHandle;

use crate::delivery::client::Client;
use crate::delivery::endpoint::Endpoint;
use crate::id::HookId;

/// Where requests go, and through which client.
#[derive(Clone)]
pub struct Called {
    pub endpoint: Rc<Endpoint>,
    pub client: Rc<Client>,
    pub hook: HookId,
}

/// An attempt under way; dropping it breaks it off.
pub struct Task(Option<JoinHandle<()>>);

impl Task {
    /// Begins it on this thread.
    pub fn spawn(attempt: impl Future<Output = ()> + 'static) -> Self {
        Self(Some(actix_rt::spawn(attempt)))
    }

    /// Breaks it off; returns once it has ended.
    pub async fn broken_off(mut self) {
        if let Some(task) = self.0.take() {
            task.abort();
            // It ends cancelled, or had ended before.
            let _ = task.await;
        }
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.0.iter().for_each(JoinHandle::abort);
    }
}
