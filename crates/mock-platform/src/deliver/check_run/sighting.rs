//! What a run sees of the receiver: its effects, single or counted, and its log.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::Run;
use super::observer::is_stray;
use super::rounds::Ran;
use crate::judge::Effect;
use crate::judge::check::{Case, Seen};

/// How long a line of the receiver's log may take to come.
const LOG_LIMIT: Duration = Duration::from_millis(300);

impl Run<'_> {
    /// The effects of a case so far; none where single effects are not seen.
    pub(super) async fn look_at(&self, case: &Case) -> Result<Vec<Effect>, String> {
        let Some(observer) = self.observer.as_ref().filter(|observer| observer.sees_records()) else {
            return Ok(Vec::new());
        };
        let effects = observer.settled().await.map_err(|error| error.told())?;
        Ok(effects.into_iter().filter(|effect| is_of(case, effect)).collect())
    }

    /// How many effects there are before a case, where they are only counted.
    pub(super) async fn count_before(&self) -> Result<i64, String> {
        match &self.observer {
            Some(observer) if !observer.sees_records() => {
                observer.count_before().await.map_err(|error| error.told())
            }
            _ => Ok(0),
        }
    }

    /// How many effects there are in the end, where they are only counted.
    pub(super) async fn count(&self) -> Result<i64, String> {
        match &self.observer {
            Some(observer) if !observer.sees_records() => {
                observer.count().await.map_err(|error| error.told())
            }
            _ => Ok(0),
        }
    }

    /// How many more there are, `extra` aside. Records are looked at when all is sent.
    pub(super) async fn counted(&self, before: Result<i64, String>, extra: usize) -> Result<Seen, String> {
        match &self.observer {
            Some(observer) if !observer.sees_records() => {
                Ok(Seen::Count(self.count().await? - before? - extra as i64))
            }
            _ => Ok(Seen::Nothing),
        }
    }

    /// The number of the last effect so far.
    pub(super) async fn last_effect(&self) -> Result<u64, String> {
        match &self.observer {
            Some(observer) if observer.sees_records() => observer.last().await.map_err(|error| error.told()),
            _ => Ok(0),
        }
    }

    /// Waits for an effect of the last case that has no id, or one of the case's: the next case would be given one without
    /// that comes late.
    pub(super) async fn await_stray(&self, ran: &mut Ran) {
        let observer = self.observer.as_ref().filter(|observer| observer.sees_records());
        let (Some(observer), Some(case), Some(begin)) = (observer, ran.cases.last(), ran.bounds.last())
        else {
            return;
        };
        let is_own = |effect: &Effect| is_stray(effect) || is_of(&case.case, effect);
        if let Err(error) = observer.one_behind(*begin, is_own).await {
            ran.unseen = Some(error.told());
        }
    }

    /// Looks into the log of the receiver for the marks of what ran, where the suite has started it.
    pub(super) async fn read_log(&self, ran: &mut [Ran]) {
        let cases = ran.iter_mut().flat_map(|ran| &mut ran.cases);
        let deadline = Instant::now() + LOG_LIMIT;
        for (case, mark) in
            cases.filter_map(|case| Some((case.case.log_mark.clone()?, case))).map(|(m, c)| (c, m))
        {
            loop {
                let Some(lines) = self.process.lock().await.as_ref().map(|it| it.lines_with(&mark)) else {
                    return;
                };
                case.log = lines;
                if !case.log.is_empty() || Instant::now() >= deadline {
                    break;
                }
                sleep(Duration::from_millis(20)).await;
            }
        }
    }

    /// Looks at the effects of what ran, once there are no more for a while, and gives each case its own.
    pub(super) async fn look(&self, mut ran: Vec<Ran>) -> Vec<Ran> {
        let Some(observer) = self.observer.as_ref().filter(|observer| observer.sees_records()) else {
            return ran;
        };
        if ran.is_empty() {
            return ran;
        }
        match observer.settled().await {
            Ok(effects) => {
                let mut by_id: BTreeMap<&str, Vec<&Effect>> = BTreeMap::new();
                for effect in &effects {
                    if let Some(id) = &effect.cmiuuid {
                        by_id.entry(id).or_default().push(effect);
                    }
                }
                // Where one of its bounds could not be read, what is whose is not known, nor what is missing.
                for evidence in ran.iter_mut().filter(|ran| ran.unseen.is_none()).flat_map(|ran| {
                    give_strays(ran, &effects);
                    &mut ran.cases
                }) {
                    let ids: BTreeSet<&str> =
                        evidence.case.expected.iter().map(|own| own.payload.cmiuuid.as_str()).collect();
                    let own = ids.iter().filter_map(|id| by_id.get(id)).flatten();
                    let mut own: Vec<Effect> = own.copied().cloned().collect();
                    own.sort_by_key(|effect| effect.seq);
                    match &mut evidence.seen {
                        Seen::Records(strays) => strays.extend(own),
                        seen => *seen = Seen::Records(own),
                    }
                }
            }
            Err(error) => {
                for ran in &mut ran {
                    ran.unseen = Some(format!("its effects could not be seen: {}", error.told()));
                }
            }
        }
        ran
    }
}

/// Gives each case the effects without an id that came within its bounds.
fn give_strays(ran: &mut Ran, effects: &[Effect]) {
    for (case, bounds) in ran.cases.iter_mut().zip(ran.bounds.windows(2)) {
        let within = |effect: &&Effect| effect.seq > bounds[0] && effect.seq <= bounds[1];
        let strays = effects.iter().filter(within).filter(|effect| is_stray(effect));
        case.seen = Seen::Records(strays.cloned().collect());
    }
}

/// Whether an effect names one of the payloads of a case.
fn is_of(case: &Case, effect: &Effect) -> bool {
    let id = effect.cmiuuid.as_deref();
    case.expected.iter().any(|own| id == Some(&own.payload.cmiuuid))
}
