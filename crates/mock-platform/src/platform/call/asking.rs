//! The application is asked what to do: at the answer URL, and at the URLs that digits go to.

use std::time::Duration;

use piopiy_events::answer::{AnswerRequest, DtmfRequest};
use piopiy_events::pcmo::{Action, Pcmo};
use piopiy_events::{CallDirection, OpenObject as _, PhoneNumber, Profile};

use super::Call;
use super::passing::Break;
use crate::deliver::ledger::{Body, Lane, MessageKind};
use crate::deliver::{Asked, Target};
use crate::platform::config::BadAnswer;
use crate::platform::hidden::hidden;

/// How much of a request or an answer is kept for people to look at.
const KEPT: usize = 64 * 1024;

/// What the application said.
pub(super) enum Told {
    /// This call flow; it is not empty.
    Flow(Vec<Action>),
    /// Nothing that could be carried out.
    Nothing(BadAnswer),
}

impl Call {
    /// What is to happen with the call.
    pub(super) async fn first_flow(&mut self) -> Result<Vec<Action>, Break> {
        if let Some(flow) = self.setting.flow.take() {
            return Ok(flow.actions);
        }
        let Some(target) = self.setting.answer_url.clone() else {
            self.choose("nobody says what to do: the number has no answer-url", "the call is ended");
            return Err(Break::Over);
        };
        let body = self.answer_request().into_bytes();
        match self.ask("answer URL", &target, body).await? {
            Told::Flow(actions) => Ok(actions),
            // Nothing comes behind it.
            Told::Nothing(BadAnswer::NextAction) => Ok(Vec::new()),
            Told::Nothing(BadAnswer::HangUp) => Err(Break::Over),
        }
    }

    /// Tells an action URL which digits were pressed.
    pub(super) async fn post_digits(&mut self, url: &str, digits: &str) -> Result<Told, Break> {
        let target = match self.exchange.target(&self.config, url) {
            Ok(target) => target,
            Err(error) => {
                let choice = self.config.choices.bad_answer;
                self.choose(format!("the action URL may not be asked: {error}"), choice.told());
                return Ok(Told::Nothing(choice));
            }
        };
        let body = self.dtmf_request(digits).into_bytes();
        self.ask("action URL", &target, body).await
    }

    /// Asks, while the call goes on.
    async fn ask(&mut self, whom: &str, target: &Target, body: Vec<u8>) -> Result<Told, Break> {
        let began_ms = self.now_us() / 1_000;
        let asker = self.exchange.shared().asker.clone();
        let limit = Duration::from_millis(self.config.choices.answer_timeout.millis());
        let asking = {
            let (target, body) = (target.clone(), body.clone());
            async move { asker.post(&target, body, limit).await }
        };
        let Some(asked) = self.meanwhile(asking, false).await? else {
            return Ok(Told::Nothing(self.config.choices.bad_answer));
        };
        let (told, choice) = self.understand(&asked);
        let label = match (&told, asked.taken()) {
            (Ok(flow), _) => format!("POST {whom}: {}", names(flow)),
            (Err(error), _) => format!("POST {whom}: {error}"),
        };
        let mut message = self.message(Lane::Platform, Lane::AnswerUrl, MessageKind::Flow, label);
        message.at_ms = began_ms;
        message.url = Some(target.shown());
        message.request = Some(kept(body));
        message.status = asked.status;
        message.answer = asked.status.map(|_| kept(asked.body.clone()));
        message.took_ns = u64::try_from(asked.took.as_nanos()).ok();
        message.error = told.as_ref().err().cloned();
        message.choice = choice.map(|choice| choice.told().to_owned());
        self.exchange.tell(message);
        Ok(match (told, choice) {
            (Ok(flow), None) => Told::Flow(flow),
            (_, choice) => Told::Nothing(choice.unwrap_or(self.config.choices.bad_answer)),
        })
    }

    fn understand(&self, asked: &Asked) -> (Result<Vec<Action>, String>, Option<BadAnswer>) {
        let choices = &self.config.choices;
        let flow = asked.taken().map(<[u8]>::to_vec).and_then(|body| {
            Pcmo::parse(&body).map_err(|error| format!("its answer is no call flow: {error}"))
        });
        match flow {
            Ok(flow) if flow.actions.is_empty() => {
                (Err("its call flow is empty".to_owned()), Some(choices.empty_answer))
            }
            Ok(flow) => (Ok(flow.actions), None),
            Err(error) => (Err(error), Some(choices.bad_answer)),
        }
    }

    fn answer_request(&self) -> String {
        let mut request = AnswerRequest::default();
        let india = self.live.profile() == Profile::India;
        let (from, to) = (self.setting.from, self.setting.to);
        if !india {
            // `outbound` is a guess: no page shows one.
            request.action = Some((&*self.setting.direction.to_string()).into());
        }
        let number = |number: u64| match i64::try_from(number) {
            Ok(number) if india => PhoneNumber::new(number),
            _ => PhoneNumber::quoted(&number.to_string()),
        };
        request.from = Some(number(from));
        request.to = Some(number(to));
        request.time = i64::try_from(self.live.wall_ms(self.now_us() / 1_000)).ok().map(Into::into);
        request.cmiuuid = Some(self.live.leg_id(0).into());
        request.to_json()
    }

    fn dtmf_request(&self, digits: &str) -> String {
        let number = |number: u64| {
            i64::try_from(number).map_or_else(|_| PhoneNumber::quoted(&number.to_string()), PhoneNumber::new)
        };
        let mut request = DtmfRequest::default();
        request.from = Some(number(self.setting.from));
        request.to = Some(number(self.setting.to));
        request.dtmf = Some(digits.into());
        request.cmuuid = Some(self.live.leg_id(0).into());
        request.to_json()
    }

    /// Whether a customer called.
    pub(super) fn is_inbound(&self) -> bool {
        self.setting.direction == CallDirection::Inbound
    }
}

impl BadAnswer {
    fn told(self) -> &'static str {
        match self {
            Self::HangUp => "the call is ended",
            Self::NextAction => "the next action is carried out",
        }
    }
}

/// The names of actions, for people.
fn names(flow: &[Action]) -> String {
    let names =
        flow.iter().map(|action| action.name().map_or_else(|| "?".to_owned(), |name| name.into_owned()));
    names.collect::<Vec<_>>().join(", ")
}

/// As much of a payload as people look at, without the secrets of its URLs.
pub(super) fn kept(mut bytes: Vec<u8>) -> Body {
    bytes.truncate(KEPT);
    hidden(bytes).into()
}
