//! Time that stands still but for what a test lets pass.

use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

/// Time that is held as long as this lives, while sockets and threads go on: whoever waits for a thread or a socket does not see
/// his deadline come meanwhile. For a runtime whose time is paused, which else goes on whenever its tasks have nothing to do.
pub(crate) struct HeldTime {
    _release: Sender<()>,
}

/// So much passes at once at most: what falls due is done before more does.
const STEP: Duration = Duration::from_millis(5);

impl HeldTime {
    pub(crate) fn begin() -> Self {
        let (release, released) = channel();
        // As long as there is such a task, time does not go on by itself. It ends with the sender.
        drop(tokio::task::spawn_blocking(move || released.recv()));
        Self { _release: release }
    }

    pub(crate) async fn pass(&self, time: Duration) {
        let mut left = time;
        while !left.is_zero() {
            let step = left.min(STEP);
            tokio::time::advance(step).await;
            // Each time, sockets are looked at.
            for _ in 0..4 {
                tokio::task::yield_now().await;
            }
            left -= step;
        }
    }
}
