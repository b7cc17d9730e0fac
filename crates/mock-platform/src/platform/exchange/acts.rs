use std::sync::atomic::Ordering;

use piopiy_events::pcmo::Pcmo;

use super::{Exchange, Transfer, lock};
use crate::deliver::PlacedCall;
use crate::plan::{PlannedCall, PlannedWebhook};
use crate::platform::call::{Command, Ender, Hold, Transferring};

/// No such call is on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no call {id} is on")]
pub struct NoSuchCall {
    /// What was asked for.
    pub id: String,
}

/// Why nobody hung up.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HangUpError {
    /// No such call is on.
    #[error(transparent)]
    Call(#[from] NoSuchCall),
    /// Nobody is on leg b who could.
    #[error("nobody is on leg b of call {call}: only who was put through can hang up")]
    NobodyThere {
        /// The call.
        call: u64,
    },
}

/// Why a call was not transferred.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TransferError {
    /// No such call is on.
    #[error(transparent)]
    Call(#[from] NoSuchCall),
    /// Another transfer of the call is not settled yet.
    #[error("transfer {id} of the call is not settled yet")]
    Open {
        /// Its id.
        id: String,
    },
}

/// Why a webhook was not sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ResendError {
    /// There is no such webhook, or it is forgotten.
    #[error("there is no such webhook")]
    Unknown,
    /// Nobody said where it is to go.
    #[error("the number has no webhook URL: set `event-url` or `cdr-url`")]
    NoUrl,
}

impl Exchange {
    /// Somebody presses keys on leg a.
    ///
    /// # Errors
    /// If no such call is on.
    pub fn press(&self, call: u64, digits: &str) -> Result<(), NoSuchCall> {
        self.command(call, Command::Digits(digits.to_owned()))
    }

    /// Somebody hangs up: the call is ended, unless it is whoever is on leg b; then it goes on with the next action.
    ///
    /// # Errors
    /// If no such call is on, or whoever is to hang up is not on it.
    pub fn hang_up(&self, call: u64, by: Ender) -> Result<(), HangUpError> {
        if by == Ender::Callee && !self.is_somebody_on_leg_b(call)? {
            return Err(HangUpError::NobodyThere { call });
        }
        Ok(self.command(call, Command::HangUp(by))?)
    }

    /// The API ends the call.
    pub(in crate::platform) fn end(&self, call: u64) -> Result<(), NoSuchCall> {
        self.command(call, Command::HangUp(Ender::Api))
    }

    /// The caller is put on hold, or taken back.
    ///
    /// # Errors
    /// If no such call is on.
    pub fn hold(&self, call: u64, how: Hold) -> Result<(), NoSuchCall> {
        self.command(call, Command::Hold(how))
    }

    /// The connection of the call's audio stream breaks, or is closed with a code.
    ///
    /// # Errors
    /// If no such call is on.
    pub fn drop_stream(&self, call: u64, code: Option<u16>) -> Result<(), NoSuchCall> {
        self.command(call, Command::DropStream(code))
    }

    /// A call flow takes the place of what is left of the call's; the id of the transfer.
    ///
    /// # Errors
    /// If no such call is on, or another transfer of it is not settled yet.
    pub fn transfer(&self, call: u64, flow: Pcmo) -> Result<String, TransferError> {
        self.transfer_to(call, flow, false)
    }

    /// Somebody is called while the call goes on as it was. They take it over when they pick up: the audio stream ends, and
    /// whoever was on leg b is gone. Where nobody does the call goes on as it was. `flow` is what calls them.
    ///
    /// # Errors
    /// If no such call is on, or another transfer of it is not settled yet.
    pub fn transfer_warm(&self, call: u64, flow: Pcmo) -> Result<String, TransferError> {
        self.transfer_to(call, flow, true)
    }

    fn transfer_to(&self, call: u64, flow: Pcmo, is_warm: bool) -> Result<String, TransferError> {
        let transfers = &self.shared().transfers;
        let begun = transfers.begin(call, self.shared().nonce.0, self.now_ms());
        let id = begun.map_err(|id| TransferError::Open { id })?;
        let transfer = Transferring { id: id.clone(), is_warm };
        match self.command(call, Command::Transfer { flow, transfer }) {
            Ok(()) => Ok(id),
            Err(gone) => {
                transfers.forget(&id);
                Err(gone.into())
            }
        }
    }

    /// What became of a transfer; it is known for 15 minutes of virtual time from its end.
    #[must_use]
    pub fn transfer_of(&self, id: &str) -> Option<Transfer> {
        self.shared().transfers.get(id, self.now_ms())
    }

    /// Sends a webhook of a call once more, at once, as a delivery of its own; where it goes now. Which webhook of the call
    /// the copy is, once it is on the board.
    ///
    /// # Errors
    /// If there is no such webhook, or no URL for it.
    pub fn resend(&self, call: u64, webhook: u32) -> Result<u32, ResendError> {
        let (entry, seq) = self.shared().board.webhook(call, webhook).ok_or(ResendError::Unknown)?;
        let begin = self.shared().board.begin_of(call).ok_or(ResendError::Unknown)?;
        let targets = self.targets(begin.appid, begin.account).ok_or(ResendError::NoUrl)?;
        let now_ms = self.now_ms();
        let again = PlannedWebhook { seq, at_ms: now_ms, ..entry.webhook() };
        let profile = entry.profile;
        let planned = PlannedCall::new(call, profile, "sent again by hand".into(), vec![again]);
        let (placed, _) = PlacedCall::next_of_call(planned, Vec::new());
        if self.send(placed, targets) { Ok(seq) } else { Err(ResendError::NoUrl) }
    }

    fn command(&self, call: u64, command: Command) -> Result<(), NoSuchCall> {
        let gone = || NoSuchCall { id: call.to_string() };
        let calls = lock(&self.shared().calls);
        calls.get(&call).ok_or_else(gone)?.commands.send(command).map_err(|_| gone())
    }

    fn is_somebody_on_leg_b(&self, call: u64) -> Result<bool, NoSuchCall> {
        let calls = lock(&self.shared().calls);
        let line = calls.get(&call).filter(|line| !line.commands.is_closed());
        let line = line.ok_or_else(|| NoSuchCall { id: call.to_string() })?;
        Ok(line.on_leg_b.load(Ordering::Relaxed))
    }
}
