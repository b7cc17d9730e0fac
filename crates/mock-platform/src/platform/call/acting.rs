//! The actions of a call flow, one after the other.

use piopiy_events::pcmo::{Action, Param, Play, Prompt, Speak};

use super::Call;
use super::passing::{Break, Passed};
use crate::deliver::ledger::{Lane, MessageKind};
use crate::platform::config::{AfterLast, UnknownAction};

/// What comes behind an action.
pub(super) enum Next {
    /// The next one.
    Go,
    /// Other actions, in place of all that are left.
    Instead(Vec<Action>),
    /// Nothing: the call is ended.
    HangUp,
}

impl Call {
    /// Carries out an action; `behind` is the one that comes next.
    pub(super) async fn act(&mut self, action: Action, behind: Option<&Action>) -> Result<Next, Break> {
        self.shows(&action);
        match action {
            Action::Play(play) => {
                self.answer();
                // It is heard from now on, however long it takes to look at.
                let began = self.now_us();
                let length = self.length_of(&play, false).await?.unwrap_or_default();
                self.spend_until(began.saturating_add(length.saturating_mul(1_000))).await?;
                Ok(Next::Go)
            }
            Action::Speak(speak) => {
                self.answer();
                self.spend(self.length_of_text(&speak)).await?;
                Ok(Next::Go)
            }
            Action::Bridge(bridge) => self.bridge(&bridge).await,
            Action::Connect(connect) => self.connect(&connect).await,
            Action::Input(input) => {
                self.answer();
                self.input(&input).await
            }
            Action::PlayGetInput(input) => {
                self.answer();
                self.play_get_input(&input).await
            }
            Action::Record(_) => {
                self.is_recorded = true;
                Ok(Next::Go)
            }
            Action::Param(param) => {
                self.param(&param);
                Ok(Next::Go)
            }
            Action::Stream(stream) => self.stream(*stream, behind).await,
            Action::Hangup(_) => Ok(Next::HangUp),
            Action::Clear(_) => Ok(Next::Instead(Vec::new())),
            // An action that is not known, or no action at all.
            _ => Ok(match self.config.choices.unknown_action {
                UnknownAction::Skip => {
                    self.choose("no such action is documented", "it is passed over");
                    Next::Go
                }
                UnknownAction::HangUp => {
                    self.choose("no such action is documented", "the call is ended");
                    Next::HangUp
                }
            }),
        }
    }

    /// What happens behind the last action.
    pub(super) async fn behind_the_last(&mut self) -> Result<Next, Break> {
        if self.stream.is_some() {
            // A call lasts as long as its stream.
            if self.pass(None).await? != Passed::StreamOver {
                return Ok(Next::Go);
            }
        }
        match self.config.choices.after_last_action {
            AfterLast::HangUp => {
                self.choose("no action is left", "the call is ended");
                Ok(Next::HangUp)
            }
            AfterLast::Stay => {
                self.pass(None).await?;
                Ok(Next::Go)
            }
        }
    }

    /// How long a prompt of v3 takes; none where a key ended it while that was found out.
    pub(super) async fn length_of_prompt(&mut self, prompt: &Prompt) -> Result<Option<u64>, Break> {
        if let Some(text) = &prompt.say {
            return Ok(Some(self.length_of_words(&text.text())));
        }
        let mut play = Play::new();
        play.file_name = prompt.file_name.clone();
        self.length_of(&play, true).await
    }

    /// How long a file lasts: milliseconds. With `until_key`, none where a key was pressed while it was looked at.
    pub(super) async fn length_of(&mut self, play: &Play, until_key: bool) -> Result<Option<u64>, Break> {
        let unknown = self.config.choices.unknown_file.millis();
        let measuring = Box::pin(self.measured(play));
        let (millis, odd) = match self.meanwhile(measuring, until_key).await? {
            Some(Ok(measured)) => measured,
            Some(Err(reason)) => (unknown, Some(reason)),
            None => return Ok(None),
        };
        if let Some(odd) = odd {
            self.choose(odd, &format!("it is taken to last {:.1} s", millis as f64 / 1_000.0));
        }
        Ok(Some(millis))
    }

    fn length_of_text(&self, speak: &Speak) -> u64 {
        speak.text.as_ref().map_or(0, |text| self.length_of_words(&text.text()))
    }

    fn length_of_words(&self, text: &str) -> u64 {
        // Nobody says more in one breath than an hour of it.
        (self.config.choices.per_character.millis() * text.chars().count() as u64).min(3_600_000)
    }

    fn param(&mut self, param: &Param) {
        let text = match (&param.text, &param.data) {
            (Some(text), _) => text.text().into_owned(),
            (None, Some(data)) => data.as_json().to_owned(),
            (None, None) => return self.choose("param has no text and no data", "nothing changes"),
        };
        self.live.set_extra_params(&text);
    }

    /// The action, in the timeline.
    fn shows(&self, action: &Action) {
        let name = action.name().map_or_else(|| "?".to_owned(), |name| name.into_owned());
        let mut message = self.message(Lane::Platform, Lane::Caller, MessageKind::Action, name);
        message.request = Some(super::asking::kept(action.to_json().into_bytes()));
        let idle = super::idle::idle_keys(action, self.setting.account).join(", ");
        message.choice = (!idle.is_empty()).then(|| format!("without effect here: {idle}"));
        self.exchange.tell(message);
    }
}
