//! Digits: prompts, what is pressed, and who is told of it.

use piopiy_events::pcmo::{Action, Dtmf, Input, OnResult, Play, PlayGetInput, Prompt};
use piopiy_events::{Count, Flag, Seconds, Text};

use super::Call;
use super::acting::Next;
use super::asking::Told;
use super::passing::{Break, Passed};
use crate::plan::draw::Purpose;
use crate::platform::config::{BadAnswer, NoDigits};

/// What is collected, and until when.
struct Wanted {
    most: usize,
    least: usize,
    first_ms: u64,
    between_ms: u64,
    ends: Option<char>,
}

/// Documented: 5 s for `input`, 1 s between the digits of `play_get_input`.
const INPUT_SECONDS: i64 = 5;
const BETWEEN_SECONDS: i64 = 1;
/// How long the first digit is waited for behind a prompt: not documented.
const FIRST_SECONDS: i64 = 5;

impl Call {
    pub(super) async fn input(&mut self, input: &Input) -> Result<Next, Break> {
        let wanted = match input.dtmf.as_ref().and_then(|dtmf| dtmf.get().ok()) {
            Some(dtmf) => {
                if is_set(dtmf.flush_buffer.as_ref()) == Some(true) {
                    self.digits.clear();
                }
                Wanted::of_v3(&dtmf)
            }
            None => {
                let seconds = millis(input.timeout.as_ref(), INPUT_SECONDS);
                Wanted::up_to(input.max_digit.as_ref(), seconds, seconds)
            }
        };
        self.begin_pressing();
        let digits = self.collect(&wanted).await?;
        let digits = self.enough(digits, &wanted);
        let url = input.action_url.as_ref().map(|url| url.text().into_owned());
        let result = input.on_result.as_ref().and_then(|result| result.get().ok());
        self.hand_over(&digits, url, result).await
    }

    pub(super) async fn play_get_input(&mut self, input: &PlayGetInput) -> Result<Next, Break> {
        let v3 = input.dtmf.as_ref().and_then(|dtmf| dtmf.get().ok());
        // What was pressed before it counts where that is asked for.
        let flushes = v3.as_ref().and_then(|dtmf| is_set(dtmf.flush_buffer.as_ref())).unwrap_or(true);
        let modes = input.input.as_ref().and_then(|modes| modes.get().ok()).unwrap_or_default();
        if modes.iter().any(|mode| mode.text() == "speech") {
            self.choose("speech is asked for", "nobody listens to it: keys are taken");
        }
        let wanted = match &v3 {
            Some(dtmf) => Wanted::of_v3(dtmf),
            None => Wanted::up_to(
                input.max_digit.as_ref(),
                millis(input.timeout.as_ref(), FIRST_SECONDS).max(1_000),
                millis(input.timeout.as_ref(), BETWEEN_SECONDS),
            ),
        };
        let retries = input.retries.as_ref().and_then(|retries| retries.get().ok());
        // v3 counts what comes behind the first time, the first generation every time.
        let tries = match &retries {
            Some(retries) => count(retries.max.as_ref(), 0).saturating_add(1),
            None => count(input.max_retry.as_ref(), 1).max(1),
        };
        let prompts = retries.map(|retries| [retries.no_input_prompt, retries.invalid_prompt]);
        let again = prompts.unwrap_or_default().map(|prompt| prompt.and_then(|prompt| prompt.get().ok()));
        let mut digits = String::new();
        for attempt in 0..tries.min(20) {
            let first = attempt == 0;
            if flushes || !first {
                self.digits.clear();
            }
            // It is heard from now on, however long it takes to look at.
            let began = self.now_us();
            // What was too short is invalid; what was not pressed is not.
            let again = if digits.is_empty() { &again[0] } else { &again[1] };
            let lasts = match (again, first) {
                (Some(prompt), false) => self.length_of_prompt(prompt).await?,
                _ => self.prompt_of(input).await?,
            };
            // Who knows the menu does not listen to it.
            if let Some(millis) = lasts.filter(|_| self.digits.is_empty()) {
                self.prompt(began.saturating_add(millis.saturating_mul(1_000))).await?;
            }
            self.begin_pressing();
            digits = self.collect(&wanted).await?;
            if digits.len() >= wanted.least.max(1) {
                break;
            }
        }
        let digits = self.enough(digits, &wanted);
        let url = input.action_url.as_ref().map(|url| url.text().into_owned());
        let result = input.on_result.as_ref().and_then(|result| result.get().ok());
        self.hand_over(&digits, url, result).await
    }

    /// Lets a prompt play; a key that is pressed ends it.
    async fn prompt(&mut self, until: u64) -> Result<(), Break> {
        loop {
            match self.pass(Some(until)).await? {
                Passed::Time | Passed::Digit => return Ok(()),
                Passed::StreamOver | Passed::Nothing => {}
            }
        }
    }

    async fn prompt_of(&mut self, input: &PlayGetInput) -> Result<Option<u64>, Break> {
        let prompt: Option<Prompt> = input.prompt.as_ref().and_then(|prompt| prompt.get().ok());
        if let Some(prompt) = prompt {
            return self.length_of_prompt(&prompt).await;
        }
        let mut play = Play::new();
        // The Python SDK puts a URL into both.
        play.file_name = input.file_name.clone().filter(|_| input.file_url.is_none());
        play.file_url = input.file_url.clone();
        self.length_of(&play, true).await
    }

    /// The person on leg a reaches for the keys, if there is something left that they press.
    fn begin_pressing(&mut self) {
        let Some(digits) = self.setting.person.digits.get(self.asked).cloned() else { return };
        self.asked += 1;
        let fingers = self.setting.person.digit_after;
        let mut at = self.now_us();
        for key in digits.chars() {
            at += self.draw(&fingers, Purpose::Fingers).max(1) * 1_000;
            self.pressing.push_back((at, key));
        }
    }

    async fn collect(&mut self, wanted: &Wanted) -> Result<String, Break> {
        loop {
            if let Some(ends) = wanted.ends
                && let Some((before, _)) = self.digits.split_once(ends)
            {
                let digits = before.to_owned();
                self.digits.clear();
                return Ok(digits);
            }
            if self.digits.chars().count() >= wanted.most {
                let digits: String = self.digits.chars().take(wanted.most).collect();
                self.digits = self.digits.chars().skip(wanted.most).collect();
                return Ok(digits);
            }
            let wait = if self.digits.is_empty() { wanted.first_ms } else { wanted.between_ms };
            let until = self.after_ms(wait);
            loop {
                match self.pass(Some(until)).await? {
                    Passed::Time => return Ok(std::mem::take(&mut self.digits)),
                    Passed::Digit => break,
                    Passed::StreamOver | Passed::Nothing => {}
                }
            }
        }
    }

    /// What was pressed; nothing where it is less than was asked for.
    fn enough(&self, digits: String, wanted: &Wanted) -> String {
        if digits.is_empty() || digits.len() >= wanted.least {
            return digits;
        }
        let label = format!("{digits} has fewer digits than the {} of min_digits", wanted.least);
        self.choose(label, "it is as if none were pressed");
        String::new()
    }

    /// Hands digits to whoever asked for them; their answer goes on.
    async fn hand_over(
        &mut self,
        digits: &str,
        url: Option<String>,
        result: Option<OnResult>,
    ) -> Result<Next, Break> {
        if digits.is_empty() {
            match self.config.choices.no_digits {
                NoDigits::NextAction => {
                    self.choose("no digit was pressed", "the next action is carried out");
                    return Ok(Next::Go);
                }
                NoDigits::Post => self.choose("no digit was pressed", "the action URL is told so"),
            }
        }
        let is_of_v3 = url.is_none();
        let text = |text: Option<&Text>| text.map(|text| text.text().into_owned());
        let stored = result.as_ref().filter(|it| text(it.result_type.as_ref()).as_deref() == Some("pcmo"));
        if let Some(stored) = stored.filter(|_| is_of_v3) {
            let name = text(stored.reference.as_ref()).unwrap_or_default();
            let label = format!("{digits} is for the stored call flow {name:?}: none is stored here");
            self.choose(label, "the next action is carried out");
            return Ok(Next::Go);
        }
        let Some(url) = url.or_else(|| text(result.as_ref().and_then(|result| result.url.as_ref()))) else {
            self.choose(
                format!("nobody is told of {digits}: there is no URL"),
                "the next action is carried out",
            );
            return Ok(Next::Go);
        };
        if is_of_v3 {
            self.choose("what v3 posts is not documented", "what the first generation posts is");
        }
        Ok(match self.post_digits(&url, digits).await? {
            Told::Flow(flow) => Next::Instead(flow),
            Told::Nothing(BadAnswer::NextAction) => Next::Go,
            Told::Nothing(BadAnswer::HangUp) => Next::HangUp,
        })
    }
}

impl Wanted {
    fn up_to(most: Option<&Count>, first_ms: u64, between_ms: u64) -> Self {
        let most = usize::try_from(count(most, 1).max(1)).unwrap_or(usize::MAX);
        Self { most, least: 0, first_ms, between_ms, ends: Some('#') }
    }

    /// The unit of its times is not documented; seconds, as everywhere else.
    fn of_v3(dtmf: &Dtmf) -> Self {
        let seconds = |count: Option<&Count>, default| self::count(count, default).min(3_600) * 1_000;
        Self {
            most: usize::try_from(count(dtmf.max_digits.as_ref(), 1).max(1)).unwrap_or(usize::MAX),
            least: usize::try_from(count(dtmf.min_digits.as_ref(), 0)).unwrap_or(usize::MAX),
            first_ms: seconds(dtmf.first_digit_timeout.as_ref(), 5),
            between_ms: seconds(dtmf.inter_digit_timeout.as_ref(), 2),
            ends: dtmf.finish_on_key.as_ref().and_then(|key| key.text().chars().next()),
        }
    }
}

/// A number that makes sense, or the default.
pub(super) fn count(given: Option<&Count>, default: u64) -> u64 {
    given.and_then(|given| u64::try_from(given.count()?).ok()).unwrap_or(default)
}

/// Seconds as milliseconds, or the default; a day at most.
pub(super) fn millis(given: Option<&Seconds>, default: i64) -> u64 {
    let seconds = given.and_then(Seconds::seconds).unwrap_or(default);
    u64::try_from(seconds.clamp(0, 86_400)).unwrap_or_default() * 1_000
}

fn is_set(flag: Option<&Flag>) -> Option<bool> {
    flag.and_then(Flag::is_set)
}

/// Whether an action calls somebody.
pub(super) fn calls_somebody(action: &Action) -> bool {
    matches!(action, Action::Bridge(_) | Action::Connect(_))
}
