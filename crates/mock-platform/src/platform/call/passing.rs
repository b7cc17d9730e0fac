//! How time passes in a call: whatever is waited for, keys may be pressed, somebody may hang up, another call flow may
//! come.

use piopiy_events::pcmo::Pcmo;

use super::{Call, Command, Ender, Hold, Transferring};
use crate::deliver::ledger::{Lane, MessageKind};

/// Why what was going on is broken off.
#[derive(Debug)]
pub(super) enum Break {
    /// The call is over.
    Over,
    /// Another call flow takes the place of this one.
    Flow { flow: Pcmo, transfer: Option<Transferring> },
}

/// What came to pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Passed {
    /// It is the time that was waited for.
    Time,
    /// A key was pressed.
    Digit,
    /// The audio stream is over.
    StreamOver,
    /// Something else, that changes nothing here.
    Nothing,
}

impl Call {
    /// Lets a length of time pass.
    pub(super) async fn spend(&mut self, millis: u64) -> Result<(), Break> {
        let until = self.after_ms(millis);
        self.spend_until(until).await
    }

    pub(super) async fn spend_until(&mut self, until_us: u64) -> Result<(), Break> {
        while self.pass(Some(until_us)).await? != Passed::Time {}
        Ok(())
    }

    /// Waits for the next thing that comes to pass; for ever, if nothing does. May be dropped at any time.
    pub(super) async fn pass(&mut self, until_us: Option<u64>) -> Result<Passed, Break> {
        let key_at = self.pressing.front().map(|(at, _)| *at);
        let talk_over = self.bridged.as_ref().map(|talk| talk.until_us);
        let wakes = [until_us, key_at, self.hang_up_at_us, self.ends_at_us, talk_over];
        let wake = wakes.into_iter().flatten().min();
        let clock = self.exchange.shared().clock.clone();
        tokio::select! {
            command = self.commands.recv() => match command {
                Some(command) => self.hear(command),
                None => Err(Break::Over),
            },
            event = next_event(&mut self.stream) => self.hear_stream(event),
            () = clock.sleep_until(wake.unwrap_or_default()), if wake.is_some() => self.is_time(until_us),
        }
    }

    /// Waits for something that takes its time, while the call goes on. With `until_key`, a key that is pressed ends it:
    /// none then.
    pub(super) async fn meanwhile<T>(
        &mut self,
        work: impl Future<Output = T>,
        until_key: bool,
    ) -> Result<Option<T>, Break> {
        let mut work = std::pin::pin!(work);
        loop {
            tokio::select! {
                done = &mut work => return Ok(Some(done)),
                passed = self.pass(None) => if passed? == Passed::Digit && until_key {
                    return Ok(None);
                },
            }
        }
    }

    fn is_time(&mut self, until_us: Option<u64>) -> Result<Passed, Break> {
        let now = self.now_us();
        if self.hang_up_at_us.is_some_and(|at| at <= now) {
            let what = if self.live.is_answered(0) { "hangs up" } else { "gives up" };
            self.say(Lane::Caller, Lane::Platform, MessageKind::Person, what);
            return Err(Break::Over);
        }
        if self.ends_at_us.is_some_and(|at| at <= now) {
            self.say(Lane::Platform, Lane::Caller, MessageKind::Action, "the longest time is over");
            return Err(Break::Over);
        }
        if let Some(&(at, key)) = self.pressing.front()
            && at <= now
        {
            self.pressing.pop_front();
            self.presses(&key.to_string());
            return Ok(Passed::Digit);
        }
        if self.bridged.as_ref().is_some_and(|talk| talk.until_us <= now) {
            self.end_talk();
            return Ok(Passed::Nothing);
        }
        Ok(if until_us.is_some_and(|at| at <= now) { Passed::Time } else { Passed::Nothing })
    }

    fn hear(&mut self, command: Command) -> Result<Passed, Break> {
        match command {
            Command::Digits(digits) => {
                self.presses(&digits);
                Ok(Passed::Digit)
            }
            Command::HangUp(Ender::Callee) => {
                self.callee_hangs_up();
                Ok(Passed::Nothing)
            }
            Command::HangUp(by) => {
                let (from, what) = match by {
                    Ender::Caller => (Lane::Caller, "hangs up"),
                    Ender::Api => (Lane::Api, "ends the call"),
                    Ender::Callee | Ender::Platform => (Lane::Platform, "ends the call"),
                };
                self.say(from, Lane::Platform, MessageKind::Person, what);
                Err(Break::Over)
            }
            Command::Hold(how) => {
                self.on_hold = match how {
                    Hold::On => true,
                    Hold::Off => false,
                    Hold::Toggle => !self.on_hold,
                };
                let what = if self.on_hold { "puts the caller on hold" } else { "takes the caller back" };
                self.say(Lane::Api, Lane::Platform, MessageKind::Rest, what);
                if let Some(stream) = &self.stream {
                    stream.hold(self.on_hold);
                }
                Ok(Passed::Nothing)
            }
            Command::Transfer { flow, transfer } if !self.is_inbound() && !self.live.is_answered(0) => {
                self.replace_waiting(flow, transfer);
                Ok(Passed::Nothing)
            }
            Command::Transfer { flow, transfer } => Err(Break::Flow { flow, transfer: Some(transfer) }),
            Command::DropStream(code) => {
                if let Some(stream) = &self.stream {
                    stream.drop_now(code);
                }
                Ok(Passed::Nothing)
            }
        }
    }

    fn presses(&mut self, digits: &str) {
        self.say(Lane::Caller, Lane::Platform, MessageKind::Person, format!("presses {digits}"));
        self.digits.push_str(digits);
    }
}

/// The next event of a stream; never, where there is none.
async fn next_event(stream: &mut Option<super::StreamSession>) -> crate::platform::stream::StreamEvent {
    match stream {
        Some(stream) => stream.next().await,
        None => std::future::pending().await,
    }
}
