//! The end of a call: who hangs up first, the stream closes, the CDRs come.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::Call;
use crate::plan::Happened;
use crate::platform::exchange::TransferStatus;
use crate::platform::stream::StreamEvent;

/// How long a stream may take to close: wall time.
const CLOSING: Duration = Duration::from_secs(2);

impl Call {
    pub(super) async fn end(&mut self) {
        // Whoever acts on the call from now on is told that it is over.
        self.commands.close();
        self.settle_transfer(TransferStatus::Failed("unreachable"));
        self.on_leg_b.store(false, Ordering::Relaxed);
        if let Some((_, waiting)) = self.waiting.take() {
            self.exchange.settle_transfer(&waiting.id, TransferStatus::Failed("unreachable"));
        }
        self.forget_stream_on_answer();
        self.hang_up_at_us = None;
        self.ends_at_us = None;
        self.pressing.clear();
        self.close_stream().await;
        let now_ms = self.now_us() / 1_000;
        let other = self.bridged.take().map(|talk| talk.leg);
        if self.live.is_answered(0) {
            self.happens(&Happened::HungUp(0));
            if let Some(leg) = other {
                self.happens(&Happened::HungUp(leg));
            }
        }
        // The documented record of an inbound call's leg b has leg a's start and end; it is there whoever picked up.
        let other = if self.is_inbound() { self.live.has_leg_b().then_some(1) } else { other };
        for leg in [Some(0), other].into_iter().flatten() {
            self.live.end(leg, now_ms);
        }
        self.finish_recording().await;
        self.release_recordings();
        let due = self.after_ms(self.config.choices.record_delay.millis());
        self.exchange.shared().clock.sleep_until(due).await;
        for leg in [Some(0), other].into_iter().flatten() {
            self.record(leg);
        }
    }

    /// Bills a leg that is over, and sends its CDR.
    pub(super) fn record(&mut self, leg: usize) {
        let balance = self.exchange.charge(self.setting.appid, self.live.cost(leg));
        self.live.set_balance(balance);
        self.happens(&Happened::Record(leg));
    }

    /// The platform closes the stream, and waits for the other side's word.
    pub(super) async fn close_stream(&mut self) {
        let Some(stream) = &self.stream else { return };
        stream.hang_up();
        let deadline = tokio::time::Instant::now() + CLOSING;
        while let Some(stream) = &mut self.stream {
            let event = tokio::time::timeout_at(deadline, stream.next()).await;
            // What it still wants changes nothing.
            let _ = self.hear_stream(event.unwrap_or_else(|_| StreamEvent::broken()));
        }
    }
}
