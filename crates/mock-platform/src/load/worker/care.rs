//! What is done now and then: what takes too long is ended, what is unused is closed, and how far it is is told.

use tokio::time::sleep;

use super::{LOOK, Shared};
use crate::load::clock::now_ns;
use crate::load::progress::{Progress, Told};
use crate::load::state::State;

/// Below the keep-alive of common servers (2 to 5 s), so that what they are about to close is not used.
const IDLE_NS: u64 = 1_000_000_000;

impl Shared {
    /// Ends what takes too long, closes what is unused for long, tells how far it is; until all has ended.
    pub(super) async fn look_after(&self, closed_loop_until_ns: Option<u64>, progress: &Progress) {
        let mut told = Told::default();
        loop {
            sleep(LOOK).await;
            let now = now_ns();
            let mut state = self.state.borrow_mut();
            if closed_loop_until_ns.is_some_and(|until| now >= until) {
                state.source.end();
            }
            if progress.is_stopped() {
                state.stop();
            }
            self.close_what_is_late_or_unused(&mut state, now);
            self.cpu.note(&mut state.tally.series, now.saturating_sub(self.start_ns));
            if let Some(teller) = &mut state.teller {
                teller.tell();
            }
            progress.tell(&mut told, &state.tally, state.in_flight);
            let is_out = if self.is_closed_loop { state.is_exhausted } else { state.source.peek().is_none() };
            if is_out && state.in_flight == 0 && state.waiting.is_empty() {
                return;
            }
        }
    }

    fn close_what_is_late_or_unused(&self, state: &mut State, now: u64) {
        let timeout_ns = u64::try_from(self.timeout.as_nanos()).unwrap_or(u64::MAX);
        for connection in &self.connections {
            let Some(flight) = connection.flight.get() else { continue };
            let late_ns = (self.start_ns + flight.sent_ns).saturating_add(timeout_ns);
            if now > late_ns {
                connection.is_late.set(true);
                connection.close();
            }
        }
        if self.is_closed_loop {
            return;
        }
        // Those that are longest free are in front.
        while let Some(&id) = state.idle.front() {
            let connection = &self.connections[id];
            if now.saturating_sub(connection.free_since_ns.get()) <= IDLE_NS {
                break;
            }
            state.idle.pop_front();
            connection.close();
        }
    }
}
