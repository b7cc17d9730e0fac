//! Another call flow in place of what is left of the one that is carried out: sent by the application over its stream, or a
//! transfer of the REST API.

use std::collections::VecDeque;

use piopiy_events::pcmo::{Action, Pcmo, Stream};

use super::Call;
use super::acting::Next;
use super::collecting::calls_somebody;
use super::passing::Break;
use crate::platform::config::AfterLast;
use crate::platform::exchange::TransferStatus;

/// A transfer that the REST API asked for.
#[derive(Debug)]
pub(in crate::platform) struct Transferring {
    pub(in crate::platform) id: String,
    /// Somebody is called while the call goes on as it was, and takes it over when they pick up.
    pub(in crate::platform) is_warm: bool,
}

/// What a call goes back to where nobody takes a warm transfer.
pub(super) struct Before {
    queue: VecDeque<Action>,
    stream_on_answer: Option<Stream>,
}

impl Call {
    /// The actions that are carried out from here on; `left` are those that were to come.
    pub(super) fn turn_to(
        &mut self,
        left: VecDeque<Action>,
        flow: Pcmo,
        transfer: Option<Transferring>,
    ) -> VecDeque<Action> {
        let is_warm = transfer.as_ref().is_some_and(|transfer| transfer.is_warm);
        if is_warm {
            let stream_on_answer = self.stream_on_answer.take();
            self.before.get_or_insert(Before { queue: left, stream_on_answer });
        } else {
            self.before = None;
            self.leave_what_was();
            if flow.actions.iter().any(calls_somebody) {
                self.hand_over_stream();
            }
        }
        self.take_up(transfer);
        flow.actions.into()
    }

    /// Whoever was called took the call: nothing of what was before it comes back.
    pub(super) fn leave_before(&mut self) {
        if let Some(before) = self.before.take() {
            self.stream_on_answer = before.stream_on_answer;
            self.leave_what_was();
            self.hand_over_stream();
        }
    }

    fn leave_what_was(&mut self) {
        self.leave_bridge();
        self.is_on_stream = false;
        self.forget_stream_on_answer();
    }

    /// A call flow that came while it rang; one before it will never be carried out.
    pub(super) fn replace_waiting(&mut self, flow: Pcmo, transfer: Transferring) {
        if let Some((_, before)) = self.waiting.replace((flow, transfer)) {
            self.exchange.settle_transfer(&before.id, TransferStatus::Failed("unreachable"));
        }
    }

    /// What an outbound call begins with when it is picked up.
    pub(super) async fn begins_with(&mut self) -> Result<VecDeque<Action>, Break> {
        let Some((flow, transfer)) = self.waiting.take() else { return Ok(self.first_flow().await?.into()) };
        let left = if transfer.is_warm { self.first_flow().await? } else { Vec::new() };
        Ok(self.turn_to(left.into(), flow, Some(transfer)))
    }

    /// A transfer is carried out from here on; or a flow of the application's, in place of one.
    fn take_up(&mut self, transfer: Option<Transferring>) {
        if self.transfer.is_some() {
            self.choose("another call flow takes the place of a transfer", "the transfer has failed");
            self.settle_transfer(TransferStatus::Failed("network_error"));
        }
        if let Some(transfer) = transfer {
            self.exchange.settle_transfer(&transfer.id, TransferStatus::Started);
            self.transfer = Some(transfer.id);
        }
    }

    /// What became of the transfer that is carried out, if one is.
    pub(super) fn settle_transfer(&mut self, status: TransferStatus) {
        self.came_to = None;
        if let Some(id) = self.transfer.take() {
            self.exchange.settle_transfer(&id, status);
        }
    }

    /// Nobody took the call: why. What becomes of a transfer follows from what comes behind it.
    pub(super) fn nobody_came(&mut self, why: &'static str) -> Next {
        self.came_to = self.transfer.is_some().then_some(why);
        Next::Go
    }

    /// Settles a transfer that nobody took, once it is clear whether the call goes on; a warm one leads back.
    pub(super) fn settle_failed(&mut self, queue: &mut VecDeque<Action>) {
        let Some(why) = self.came_to else { return };
        if let Some(before) = self.before.take() {
            *queue = before.queue;
            self.stream_on_answer = before.stream_on_answer;
            self.choose(format!("nobody takes the transfer: {why}"), "the call goes on as it was");
        } else if queue.front().is_some_and(calls_somebody) {
            // Somebody else may.
            return;
        }
        let why = if self.is_at_its_end(queue) { and_call_ended(why) } else { why };
        self.settle_transfer(TransferStatus::Failed(why));
    }

    /// Whether nothing is left that keeps the call.
    fn is_at_its_end(&self, queue: &VecDeque<Action>) -> bool {
        let goes_on = self.bridged.is_some() || (self.stream.is_some() && !self.is_handed_over);
        let is_last = match queue.front() {
            Some(action) => matches!(action, Action::Hangup(_)),
            None => self.config.choices.after_last_action == AfterLast::HangUp,
        };
        is_last && !goes_on
    }
}

/// The same reason, for a call that was ended by it.
fn and_call_ended(why: &'static str) -> &'static str {
    match why {
        "busy" => "busy_and_call_ended",
        "no_answer" => "no_answer_and_call_ended",
        "rejected" => "rejected_and_call_ended",
        "invalid_number" => "invalid_number_and_call_ended",
        "call_barred" => "call_barred_and_call_ended",
        other => other,
    }
}
