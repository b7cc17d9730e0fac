use std::fmt::Write;
use std::time::Duration;

use piopiy_events::Kind;
use serde::{Deserialize, Serialize};

use super::case_file::is_default;
use super::{Hook, Payload, Request, Script, Turn};

/// One try of a check: what is done, in order, and which effects are right.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Case {
    /// What is special about it, for people: `GET`, `split after byte 17`.
    pub(crate) name: String,
    pub(crate) steps: Vec<Step>,
    #[serde(default)]
    pub(crate) expected: Vec<Expected>,
    /// Whether a 5xx is a right answer: the receiver is asked for more than it has.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) may_overload: bool,
    /// Whether no answer is a right answer, as to a request that never ends.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) may_be_silent: bool,
    /// Whether a start of the receiver's process that takes too long is judged, and breaks nothing.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) may_start_late: bool,
    /// Whether an effect of it would carry none of its ids. Such cases are run one after another, and every effect
    /// meanwhile that carries none is theirs.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) is_anonymous: bool,
    /// Whether it is unclear which webhook of a call is the last: then no final state of it is wrong.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) has_open_end: bool,
    /// Whether something of it that has no id, and of which no effect is expected, may be kept all the same.
    #[serde(skip)]
    pub(crate) strays: bool,
    /// A text that nothing else has, and that begins no line of the receiver's log unless a field breaks it.
    pub(crate) log_mark: Option<String>,
}

/// What is done at once. The next step begins when it is over.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Step {
    /// Connections side by side.
    Connections(Vec<Script>),
    /// Nothing, for a while.
    Pause(Duration),
    /// Ends the receiver's process, where the suite has started it.
    Stop(Signal),
    /// Starts it again, and waits until it listens.
    Start,
    /// Runs a command of the receiver's owner.
    Hook(Hook, Turn),
    /// Moves the receiver's clock to so many seconds ahead of the true time, by the command of its owner.
    Clock(i64),
    /// Lets time pass at the receiver until so long after the begin of the case, by moving its clock or by waiting.
    Elapse(Duration),
    /// Many plain webhooks that are only counted.
    Flow(Flow),
    /// Runs the shell command that lists the receiver's gaps, and keeps what it prints. Which one is the run's to say: none
    /// is taken from a file.
    Reconcile,
    /// Connections side by side, and so long after their begin the end of the receiver's process.
    StopDuring(Signal, Duration, Vec<Script>),
    /// Looks at the effects once there are no more for a while.
    Look,
    /// Reads the effects that there are by now, so that one that is taken back later was seen.
    Glance,
    /// Writes down what the receiver's processes take up, where the suite has started them; see
    /// [`CaseEvidence::usage`](super::CaseEvidence::usage).
    Measure,
}

/// Plain webhooks with fresh ids, composed when they are sent, over a few connections at a time. What became of each is
/// not kept.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Flow {
    pub(crate) count: u32,
    /// How many a second; `None` for as fast as they are answered.
    pub(crate) rate: Option<u32>,
    /// How often meanwhile, evenly spread, the receiver's processes are measured.
    pub(crate) samples: u32,
}

/// How the receiver's process is ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Signal {
    /// SIGTERM; it may finish what it does.
    Terminate,
    /// SIGKILL.
    Kill,
}

/// An effect that is right.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Expected {
    pub(crate) payload: Payload,
    pub(crate) count: Count,
}

/// How many effects of a payload are right, those kept aside not counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Count {
    /// One where it was acknowledged; where it was not, none is right too.
    Once,
    /// The same of a live event; none at all is right where the receiver never has one for that status.
    OnceIfKnown,
    /// None or one.
    AtMostOnce,
    /// None.
    Never,
}

impl Count {
    /// The same of a live event, which a receiver may have no use for.
    pub(crate) fn of_event(self) -> Self {
        if self == Self::Once { Self::OnceIfKnown } else { self }
    }

    /// The least and the most.
    pub(crate) fn range(self, is_acknowledged: bool) -> (usize, usize) {
        match self {
            Self::Once => (usize::from(is_acknowledged), 1),
            Self::AtMostOnce | Self::OnceIfKnown => (0, 1),
            Self::Never => (0, 0),
        }
    }
}

impl Step {
    /// The connections that it opens.
    pub(crate) fn scripts(&self) -> &[Script] {
        match self {
            Self::Connections(scripts) | Self::StopDuring(_, _, scripts) => scripts,
            _ => &[],
        }
    }

    pub(crate) fn scripts_mut(&mut self) -> &mut [Script] {
        match self {
            Self::Connections(scripts) | Self::StopDuring(_, _, scripts) => scripts,
            _ => &mut [],
        }
    }
}

impl Case {
    pub(crate) fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), ..Self::default() }
    }

    /// One request on a connection of its own, and its answer.
    pub(crate) fn send(self, request: &Request) -> Self {
        self.script(Script::default().request(request).answered())
    }

    /// What was sent already, again after a glance at its effects: who replaces the first effect by a second does its work
    /// twice, and shows one of them only where nobody has looked in between.
    pub(crate) fn send_after_glance(self, request: &Request) -> Self {
        self.step(Step::Glance).send(request)
    }

    /// One connection.
    pub(crate) fn script(self, script: Script) -> Self {
        self.scripts(vec![script])
    }

    /// Connections side by side.
    pub(crate) fn scripts(self, scripts: Vec<Script>) -> Self {
        self.step(Step::Connections(scripts))
    }

    pub(crate) fn step(mut self, step: Step) -> Self {
        self.steps.push(step);
        self
    }

    /// Which effects of a payload are right.
    pub(crate) fn expect(mut self, payload: &Payload, count: Count) -> Self {
        self.expected.push(Expected { payload: payload.clone(), count });
        self
    }

    /// One effect of each webhook of a call, if it is of a kind that the receiver keeps at all.
    pub(crate) fn expect_call<'a>(self, payloads: impl IntoIterator<Item = &'a Payload>) -> Self {
        payloads.into_iter().fold(self, |case, payload| {
            let is_cdr = payload.identity().is_none_or(|identity| identity.kind() == Kind::Cdr);
            case.expect(payload, if is_cdr { Count::Once } else { Count::OnceIfKnown })
        })
    }

    /// A 5xx is a right answer.
    pub(crate) fn may_overload(mut self) -> Self {
        self.may_overload = true;
        self
    }

    /// No answer is a right answer.
    pub(crate) fn may_be_silent(mut self) -> Self {
        self.may_be_silent = true;
        self
    }

    /// A start that takes too long is judged, and breaks nothing.
    pub(crate) fn may_start_late(mut self) -> Self {
        self.may_start_late = true;
        self
    }

    /// Something that it sends beside its webhooks is none, and has no id.
    pub(crate) fn straying(mut self) -> Self {
        self.strays = true;
        self
    }

    /// Whether what it sends may be kept, or kept aside, without an id: it is no plain webhook, or nobody says that it is.
    pub(crate) fn may_stray(&self) -> bool {
        let may_be_none = |own: &Expected| matches!(own.count, Count::Never | Count::AtMostOnce);
        self.strays || self.expected.is_empty() || self.expected.iter().any(may_be_none)
    }

    /// An effect of it would carry no id.
    pub(crate) fn anonymous(mut self) -> Self {
        self.is_anonymous = true;
        self
    }

    /// A text of its fields is looked for in the receiver's log.
    pub(crate) fn marking_the_log(mut self, mark: &str) -> Self {
        self.log_mark = Some(mark.to_owned());
        self
    }

    /// What is done, as text.
    pub(crate) fn describe(&self) -> String {
        let mut text = String::new();
        for step in &self.steps {
            let scripts = match step {
                Step::Connections(scripts) => {
                    if scripts.len() > 1 {
                        // Writing to a String cannot fail.
                        let _ = writeln!(text, "({} connections side by side; the first:)", scripts.len());
                    }
                    scripts.as_slice()
                }
                Step::StopDuring(_, _, scripts) => {
                    let _ = writeln!(text, "({})", step.describe());
                    scripts.as_slice()
                }
                _ => {
                    let _ = writeln!(text, "({})", step.describe());
                    &[]
                }
            };
            let line = scripts.first().map(Script::describe).unwrap_or_default();
            text.push_str(&line);
        }
        text
    }
}

impl Step {
    /// What is done, in a few words.
    pub(crate) fn describe(&self) -> String {
        match self {
            Self::Connections(scripts) => format!("{} connections", scripts.len()),
            Self::Pause(pause) => format!("nothing for {pause:?}"),
            Self::Stop(signal) => format!("the receiver is stopped: {signal:?}"),
            Self::Start => "the receiver is started".to_owned(),
            Self::Hook(hook, Turn::On) => format!("the command of {}", hook.option()),
            Self::Hook(hook, Turn::Off) => format!("the command of {} undoes it", hook.undone_by().option()),
            Self::Clock(offset) => format!("the receiver's clock is moved to {offset} s off the true time"),
            Self::Elapse(until) => {
                format!("time passes at the receiver, until {} s after the begin", until.as_secs())
            }
            Self::Flow(flow) => flow.describe(),
            Self::Reconcile => "the receiver's command that lists gaps, whose output is read".to_owned(),
            Self::StopDuring(signal, after, _) => {
                format!("the receiver is stopped meanwhile, after {after:?}: {signal:?}")
            }
            Self::Look | Self::Glance => "the effects are looked at".to_owned(),
            Self::Measure => "memory and descriptors of the receiver are measured".to_owned(),
        }
    }
}

impl Flow {
    fn describe(&self) -> String {
        let rate = self
            .rate
            .map_or_else(|| "as fast as they are answered".to_owned(), |rate| format!("{rate} a second"));
        format!("{} plain webhooks, {rate}; memory is measured {} times", self.count, self.samples)
    }
}
