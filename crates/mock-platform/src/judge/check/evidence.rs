use std::time::Duration;

use piopiy_events::Identity;

use super::case::Expected;
use super::{Case, Malformed, PayloadId, Sent, Usage};
use crate::judge::Effect;

/// All that a check is judged by.
#[derive(Debug)]
pub(crate) struct Evidence<'a> {
    pub(crate) cases: &'a [CaseEvidence],
    pub(crate) terms: &'a Terms,
}

/// What holds for all checks of a run.
#[derive(Debug, Clone)]
pub(crate) struct Terms {
    /// The median answer time of a plain webhook on a new connection.
    pub(crate) baseline: Duration,
    /// How long an answer may take.
    pub(crate) ack_limit: Duration,
    pub(crate) malformed: Malformed,
    /// Whether effects are looked at.
    pub(crate) is_observed: bool,
    /// What effect records hold, as the receiver says or as they have shown.
    pub(crate) shows: Shows,
    /// How long a receiver may take to listen that the suite has started.
    pub(crate) start_limit: Duration,
    /// Whether the receiver's name means this machine alone (`localhost`), and nobody has said its addresses.
    pub(crate) is_local_name: bool,
    /// Whether the receiver takes an empty body for a ping, and says so.
    pub(crate) takes_pings: bool,
}

/// What effect records hold: as `GET URL?capabilities` says, or as any record has shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Shows {
    pub(crate) fields: bool,
    pub(crate) state: bool,
    /// What is kept aside; `None` where nobody says and nothing has shown it.
    pub(crate) quarantine: Option<bool>,
    /// Whether anything was kept aside of which it is not said whose it is.
    pub(crate) kept_nameless_aside: bool,
}

impl Shows {
    /// That, and what a record shows.
    pub(crate) fn and(self, effect: &Effect) -> Self {
        Self {
            fields: self.fields || effect.fields.is_some(),
            state: self.state || effect.state.is_some(),
            quarantine: if effect.quarantined { Some(true) } else { self.quarantine },
            kept_nameless_aside: self.kept_nameless_aside || effect.quarantined && is_nameless(effect),
        }
    }
}

/// Whether it has no id of a webhook, which are UUIDs here.
fn is_nameless(effect: &Effect) -> bool {
    effect.cmiuuid.as_deref().is_none_or(|id| id.len() < 32)
}

impl Terms {
    /// How long the canary may take.
    pub(crate) fn canary_limit(&self) -> Duration {
        (5 * self.baseline).max(Duration::from_secs(1))
    }
}

/// What happened in one case.
#[derive(Debug, Clone)]
pub(crate) struct CaseEvidence {
    pub(crate) case: Case,
    /// The transcripts of each step; none for a step that opens no connections.
    pub(crate) steps: Vec<Vec<Transcript>>,
    /// The plain webhook right after, on a connection of its own.
    pub(crate) canary: Transcript,
    /// A plain webhook that was half sent before, and finished after.
    pub(crate) bystander: Option<Transcript>,
    pub(crate) seen: Seen,
    /// What each [`Step::Look`](super::Step::Look) saw of its effects.
    pub(crate) looks: Vec<Vec<Effect>>,
    /// What each [`Step::Measure`](super::Step::Measure) found; `None` where the suite has not started the receiver, or
    /// the system does not tell.
    pub(crate) usage: Vec<Option<Usage>>,
    /// The lines of the receiver's log with the mark of the case in them, where the suite has started it.
    pub(crate) log: Vec<String>,
    /// How long each [`Step::Start`](super::Step::Start) took until the receiver listened.
    pub(crate) starts: Vec<Duration>,
    /// What became of each [`Step::Flow`](super::Step::Flow).
    pub(crate) flows: Vec<Flowed>,
    /// What each [`Step::Reconcile`](super::Step::Reconcile) printed.
    pub(crate) printed: Vec<String>,
    /// What broke on this side: a hook, the process.
    pub(crate) error: Option<String>,
}

/// What became of many plain webhooks.
#[derive(Debug, Clone, Default)]
pub(crate) struct Flowed {
    pub(crate) sent: u32,
    pub(crate) acknowledged: u32,
    /// What came of the first that was not acknowledged.
    pub(crate) trouble: Option<String>,
    pub(crate) samples: Vec<Sample>,
}

/// What the receiver took up when so many webhooks were sent.
#[derive(Debug, Clone)]
pub(crate) struct Sample {
    pub(crate) sent: u32,
    pub(crate) usage: Option<Usage>,
}

/// What was seen of the effects of a case.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Seen {
    /// Nobody looked.
    Nothing,
    /// How many more there are than before, those of the canary aside.
    Count(i64),
    /// The records that carry its ids or, for an anonymous case, no known id.
    Records(Vec<Effect>),
}

impl Seen {
    /// How many effects, those kept aside not counted; `None` where nobody looked.
    pub(crate) fn count(&self) -> Option<i64> {
        match self {
            Self::Nothing => None,
            Self::Count(count) => Some(*count),
            Self::Records(records) => {
                let count = records.iter().filter(|effect| !effect.quarantined).count();
                i64::try_from(count).ok()
            }
        }
    }
}

/// What happened on one connection. Times run from the start of the case.
#[derive(Debug, Clone, Default)]
pub(crate) struct Transcript {
    pub(crate) requests: Vec<Sent>,
    /// Why there was no connection.
    pub(crate) connect_error: Option<String>,
    /// When the last byte of each request was handed over.
    pub(crate) sent_at: Vec<Duration>,
    pub(crate) sent_bytes: u64,
    /// Why not all was sent.
    pub(crate) write_error: Option<String>,
    /// Whether writing blocked for as long as it was waited for.
    pub(crate) was_blocked: bool,
    pub(crate) answers: Vec<Answer>,
    /// The first bytes that were received, whatever they are.
    pub(crate) first_bytes: Vec<u8>,
    /// What was received and is no answer: what is wrong with it.
    pub(crate) garbled: Option<String>,
    pub(crate) end: End,
    /// Whether something was waited for and did not come.
    pub(crate) timed_out: bool,
}

/// How a connection ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum End {
    /// It was open when the script was over.
    #[default]
    Open,
    /// The receiver closed it.
    Closed { at: Duration },
    /// The receiver reset it.
    Reset { at: Duration },
}

/// One final answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Answer {
    /// The minor version: 0 or 1.
    pub(crate) minor: u8,
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, Vec<u8>)>,
    /// Its first 64 KiB.
    pub(crate) body: Vec<u8>,
    /// All of it, in bytes.
    pub(crate) body_bytes: u64,
    /// The statuses of the interim answers before it.
    pub(crate) interim: Vec<u16>,
    /// When its last byte came.
    pub(crate) at: Duration,
}

impl Answer {
    pub(crate) fn is_2xx(&self) -> bool {
        (200..300).contains(&self.status)
    }

    pub(crate) fn is_4xx(&self) -> bool {
        (400..500).contains(&self.status)
    }

    pub(crate) fn is_5xx(&self) -> bool {
        self.status >= 500
    }

    /// Whether it says that the receiver closes the connection after it.
    pub(crate) fn announces_close(&self) -> bool {
        let said = self.header("connection").map(String::from_utf8_lossy).unwrap_or_default();
        let says = |word| said.split(',').any(|part| part.trim().eq_ignore_ascii_case(word));
        says("close") || (self.minor == 0 && !says("keep-alive"))
    }

    /// The first header of that name.
    pub(crate) fn header(&self, name: &str) -> Option<&[u8]> {
        let found = self.headers.iter().find(|(given, _)| given.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_slice())
    }
}

impl Transcript {
    /// The answer to the n-th request.
    pub(crate) fn answer(&self, n: usize) -> Option<&Answer> {
        self.answers.get(n)
    }

    /// How long the n-th request took from its last byte to that of its answer.
    pub(crate) fn latency(&self, n: usize) -> Option<Duration> {
        Some(self.answers.get(n)?.at.saturating_sub(*self.sent_at.get(n)?))
    }

    /// What became of it, for people: `200`, `200, then closed`, `reset`, `no answer`.
    pub(crate) fn outcome(&self) -> String {
        if let Some(error) = &self.connect_error {
            return format!("no connection ({error})");
        }
        let mut said: Vec<String> = self.answers.iter().map(|answer| answer.status.to_string()).collect();
        if let Some(garbled) = &self.garbled {
            said.push(format!("bytes that are no answer ({garbled})"));
        }
        match self.end {
            End::Closed { .. } if said.is_empty() => said.push("closed without an answer".to_owned()),
            End::Reset { .. } => said.push("reset".to_owned()),
            _ if said.is_empty() => said.push("no answer".to_owned()),
            _ => {}
        }
        said.join(", then ")
    }
}

impl CaseEvidence {
    /// The transcripts of all steps, in order.
    pub(crate) fn transcripts(&self) -> impl Iterator<Item = &Transcript> {
        self.steps.iter().flatten()
    }

    /// The answers to every request with that payload.
    pub(crate) fn answers_to(&self, payload: PayloadId) -> impl Iterator<Item = &Answer> {
        self.transcripts().flat_map(move |transcript| {
            let pairs = transcript.requests.iter().zip(&transcript.answers);
            pairs.filter(move |(sent, _)| sent.of == Some(payload)).map(|(_, answer)| answer)
        })
    }

    pub(crate) fn is_acknowledged(&self, payload: PayloadId) -> bool {
        self.answers_to(payload).any(Answer::is_2xx)
    }

    /// Whether it was sent, or begun to be, and nobody can say whether it was taken: an answer is missing, and none of
    /// those that came is 2xx.
    pub(crate) fn is_unanswered(&self, payload: PayloadId) -> bool {
        let is_missing = |transcript: &Transcript| {
            let mut requests = transcript.requests.iter().enumerate();
            let was_begun = transcript.connect_error.is_none() && transcript.sent_bytes > 0;
            was_begun && requests.any(|(n, sent)| sent.of == Some(payload) && n >= transcript.answers.len())
        };
        !self.is_acknowledged(payload) && self.transcripts().any(is_missing)
    }

    /// The effects that may be those of an expected payload, in order, those kept aside too, and those that were seen
    /// once and are gone; `None` where that was not looked at.
    pub(crate) fn effects_of(&self, expected: &Expected) -> Option<Vec<&Effect>> {
        let Seen::Records(records) = &self.seen else { return None };
        let id = expected.payload.cmiuuid.as_str();
        // One of several with that id has to fit by the rest of its identity.
        let is_shared = self.of_id(id).nth(1).is_some();
        let identity = if is_shared { expected.payload.identity() } else { None };
        let fits = |effect: &&Effect| {
            effect.cmiuuid.as_deref() == Some(id)
                && identity.as_ref().is_none_or(|identity| effect.clues().fit(identity))
        };
        Some(self.gone().chain(records).filter(fits).collect())
    }

    /// The effects that can be of no other payload of the case than this one.
    pub(crate) fn effects_only_of(&self, expected: &Expected) -> Option<Vec<&Effect>> {
        let mut effects = self.effects_of(expected)?;
        let identity = expected.payload.identity();
        let others: Vec<Option<Identity>> = self
            .of_id(&expected.payload.cmiuuid)
            .filter(|other| other.payload.id != expected.payload.id)
            .map(|other| other.payload.identity())
            .filter(|other| *other != identity)
            .collect();
        if !others.is_empty() {
            effects.retain(|effect| {
                let clues = effect.clues();
                !others.iter().any(|other| other.as_ref().is_none_or(|other| clues.fit(other)))
            });
        }
        Some(effects)
    }

    /// The expected payloads that share an id.
    fn of_id(&self, cmiuuid: &str) -> impl Iterator<Item = &Expected> {
        self.case.expected.iter().filter(move |expected| expected.payload.cmiuuid == cmiuuid)
    }

    /// Effects that were seen, and were not there any more in the end.
    pub(crate) fn gone(&self) -> impl Iterator<Item = &Effect> {
        let same = |one: &Effect, other: &Effect| one.seq == other.seq && one.cmiuuid == other.cmiuuid;
        let Seen::Records(last) = &self.seen else { return Vec::new().into_iter() };
        let mut gone: Vec<&Effect> = Vec::new();
        for effect in self.looks.iter().flatten() {
            if !last.iter().chain(gone.iter().copied()).any(|known| same(known, effect)) {
                gone.push(effect);
            }
        }
        gone.into_iter()
    }
}
