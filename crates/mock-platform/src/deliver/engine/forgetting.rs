//! What the engine forgets: before its end, or because somebody asks for it.

use std::cmp::Reverse;
use std::sync::Arc;

use futures_util::{FutureExt as _, Stream, StreamExt as _};
use tokio::sync::{mpsc, oneshot};

use super::Engine;
use super::delivery::Due;
use crate::deliver::attempt::Transport;
use crate::deliver::placed::PlacedCall;
use crate::deliver::{Redelivery, Targets};

impl<T, S> Engine<T, S>
where
    T: Transport,
    S: Stream<Item = (PlacedCall, Arc<Targets>)> + Unpin,
{
    /// Forgets everything that is not in flight whenever it is asked to.
    pub(in crate::deliver) fn forgetting_by(
        self,
        forgetting: mpsc::UnboundedReceiver<oneshot::Sender<()>>,
    ) -> Self {
        Self { forgetting, ..self }
    }

    /// Forgets what it was given so far, too, though it has not looked at it.
    pub(super) fn forget(&mut self) {
        while let Some(given) = self.source.next().now_or_never() {
            if given.is_none() {
                self.source_ended = true;
                break;
            }
        }
        self.stop();
    }

    /// Forgets everything that has not started; what is in flight stays.
    pub(super) fn stop(&mut self) {
        self.next_call = None;
        for call in self.calls.values_mut() {
            call.waiting.clear();
        }
        for delivery in self.deliveries.values_mut() {
            let more = self.options.schedule_ms.len() > delivery.last_step + 1;
            delivery.cut = delivery.policy != Redelivery::Never && more;
        }
        let waiting: Vec<Due> =
            self.ready.drain(..).chain(self.due.drain().map(|Reverse(due)| due)).collect();
        for due in waiting {
            self.settle(due.delivery);
        }
    }
}
