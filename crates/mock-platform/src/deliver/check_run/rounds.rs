//! One check from its stimulus to what was seen of it.

use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use super::{Progress, Run, wait_for};
use crate::judge::Effect;
use crate::judge::check::{
    Answer, Case, CaseEvidence, Check, Composer, Evidence, Findings, Flowed, Outcome, Seen, Signal, Step,
    Tag, Transcript, Usage,
};

/// A check that has run, and was not judged yet.
pub(super) struct Ran {
    pub(super) check: &'static Check,
    pub(super) cases: Vec<CaseEvidence>,
    pub(super) took: Duration,
    /// What the judge found, once it has looked.
    pub(super) findings: Findings,
    /// What came of it but for what its answers gave away, where they did.
    pub(super) but_for_leaks: Option<Outcome>,
    /// What broke on this side.
    pub(super) error: Option<String>,
    /// Why its effects could not be seen.
    pub(super) unseen: Option<String>,
    /// Whether nothing else ran beside it.
    pub(super) is_alone: bool,
    /// Behind which effects those of each of its cases began, and with which the last one's ended, if they would carry no
    /// id.
    pub(super) bounds: Vec<u64>,
}

/// A search that finds no end by itself ends here.
const MOST_ROUNDS: usize = 64;
/// What waits for many minutes may take as long.
const SOAK_LIMIT: Duration = Duration::from_secs(3_600);
/// Receivers take signatures of five minutes ago, as Standard Webhooks has it, or less.
const SIGNED_FOR: Duration = Duration::from_secs(30);
/// How long what the receiver has started may listen after its end.
const GONE_LIMIT: Duration = Duration::from_secs(3);
/// How long after it listens the receiver may take until its effects can be seen.
const AWAKE_LIMIT: Duration = Duration::from_secs(5);
/// A receiver may give up on a webhook that is half sent for longer.
const BYSTANDER_LIMIT: Duration = Duration::from_secs(2);

impl Ran {
    fn new(check: &'static Check) -> Self {
        let findings = Findings::default();
        Self {
            check,
            cases: Vec::new(),
            took: Duration::ZERO,
            findings,
            but_for_leaks: None,
            error: None,
            unseen: None,
            is_alone: false,
            bounds: Vec::new(),
        }
    }

    /// Whether the plain webhook after its last case was answered.
    pub(super) fn is_alive_after(&self) -> bool {
        self.cases.last().is_none_or(|case| case.canary.answer(0).is_some())
    }
}

impl Run<'_> {
    /// Sends all that a check has to send, within its limit.
    pub(super) async fn ran(
        &self,
        check: &'static Check,
        attempt: u32,
        is_alone: bool,
        progress: &dyn Progress,
    ) -> Ran {
        let (mut cases, mut composer) = self.composed(check, attempt);
        let waits = is_alone || check.waits();
        // First, so that those which wait for one another keep nobody else waiting.
        let (mut watched, mut strays) = (None, None);
        if cases.iter().any(|case| case.is_anonymous) {
            watched = Some(self.strays.write().await);
        } else if !waits && cases.iter().any(Case::may_stray) {
            strays = Some(self.strays.read().await);
        }
        let slot = if waits { None } else { self.slots.acquire().await.ok() };
        progress.begun(check.id);
        if self.sources.signing_key.is_some() {
            // Signatures age while a check waits for its turn.
            (cases, composer) = self.composed(check, attempt);
        }
        let began = Instant::now();
        let limit = self.limit(check);
        let ran = timeout(limit, self.rounds(check, attempt, cases, composer, is_alone)).await;
        drop((slot, watched, strays));
        let mut ran = match ran {
            Ok(ran) => ran,
            Err(_) => {
                let mut error = format!("it was not over within {limit:?}: see --check-limit");
                if let Err(left) = self.undo().await {
                    error.push_str(&format!("; and what it has changed could not be undone: {left}"));
                }
                Ran { error: Some(error), ..Ran::new(check) }
            }
        };
        ran.took = began.elapsed();
        ran
    }

    pub(super) fn is_anonymous(&self, check: &Check) -> bool {
        self.composed(check, 0).0.iter().any(|case| case.is_anonymous)
    }

    /// What a check sends at first, as of now.
    fn composed(&self, check: &Check, attempt: u32) -> (Vec<Case>, Composer) {
        let mut composer = self.composer(check.id, attempt);
        let cases = match &self.again {
            Some(again) => again.cases(attempt, composer.sources.now_s),
            None => (check.stimulus)(&mut composer),
        };
        (cases, composer)
    }

    fn limit(&self, check: &Check) -> Duration {
        let is_long = check.tags.contains(&Tag::Soak) || check.passes_time();
        let least = if is_long { SOAK_LIMIT } else { Duration::ZERO };
        self.options.check_limit.max(least)
    }

    /// Its cases, one after another, until there are no more.
    async fn rounds(
        &self,
        check: &'static Check,
        attempt: u32,
        mut cases: Vec<Case>,
        mut composer: Composer,
        is_alone: bool,
    ) -> Ran {
        let mut ran = Ran::new(check);
        let is_anonymous = cases.iter().any(|case| case.is_anonymous);
        for round in 0..MOST_ROUNDS {
            let mut signed = Instant::now();
            for at in 0..cases.len() {
                if round == 0 && self.sources.signing_key.is_some() && signed.elapsed() > SIGNED_FOR {
                    // The same cases, but for when they are signed.
                    cases = self.composed(check, attempt).0;
                    signed = Instant::now();
                }
                let Some(case) = cases.get_mut(at).map(std::mem::take) else { break };
                if is_anonymous {
                    self.bound(&mut ran).await;
                }
                let evidence = self.case(check, case, &mut composer, is_alone).await;
                let waits = evidence.case.is_anonymous && is_taken(&evidence);
                ran.cases.push(evidence);
                if waits {
                    self.await_stray(&mut ran).await;
                }
            }
            let Some(then) = check.then.filter(|_| self.again.is_none()) else { break };
            self.date(&mut composer);
            cases = then(&mut composer, &Evidence { cases: &ran.cases, terms: &self.terms() });
            if cases.is_empty() {
                break;
            }
        }
        if is_anonymous {
            // What was refused should have none, and if it has, the next check would be given it.
            if ran.cases.last().is_some_and(|case| !is_taken(case)) {
                self.await_stray(&mut ran).await;
            }
            self.bound(&mut ran).await;
        }
        ran
    }

    async fn bound(&self, ran: &mut Ran) {
        match self.last_effect().await {
            Ok(last) => ran.bounds.push(last),
            Err(error) => ran.unseen = Some(error),
        }
    }

    /// Reads what the receiver did so far, and waits for no more.
    pub(super) async fn catch_up(&self) {
        if let Err(error) = self.last_effect().await {
            // It is asked again when the effects are looked at; what matters is said then.
            tracing::debug!("{error}");
        }
    }

    /// Starts the receiver again where it has ended: it is the suite's to start.
    pub(super) async fn revive(&self) {
        let has_ended = self.process.lock().await.as_mut().is_some_and(|process| !process.is_running());
        if !has_ended {
            return;
        }
        match self.restart(false).await {
            Ok(_) => {}
            // It is tried again and again, and told once.
            Err(error) if self.is_told_gone.swap(true, Ordering::Relaxed) => tracing::debug!("{error}"),
            Err(error) => tracing::warn!("the receiver has ended, and cannot be started again: {error}"),
        }
    }

    pub(super) async fn case(
        &self,
        check: &Check,
        case: Case,
        composer: &mut Composer,
        is_alone: bool,
    ) -> CaseEvidence {
        let pauses = !is_alone && check.tags.contains(&Tag::Waits);
        let before = self.count_before().await;
        self.date(composer);
        let bystander = check.tags.contains(&Tag::Destructive).then(|| self.stand_by(composer));
        let start = Instant::now();
        let mut done = self.steps(&case, composer, pauses).await;
        // Whatever has come: what follows finds the receiver's surroundings as they were.
        if let Err(error) = self.undo().await {
            done.error.get_or_insert(error);
        }
        let took = start.elapsed();
        let bystander = match bystander {
            Some(bystander) => bystander.finish().await.filter(|_| took < BYSTANDER_LIMIT),
            None => None,
        };
        self.date(composer);
        let busy = if pauses { Some(self.quiet.read().await) } else { None };
        let canary = self.plain(composer).await;
        drop(busy);
        let plain = [Some(&canary), bystander.as_ref()];
        let extra = plain.into_iter().flatten().filter(|transcript| is_acknowledged(transcript)).count();
        let seen = match self.counted(before, extra).await {
            Ok(seen) => seen,
            Err(broken) => {
                done.error.get_or_insert(broken);
                Seen::Nothing
            }
        };
        tracing::debug!(check = check.id, case = case.name, is_alone, ?took, "case");
        let Done { steps, looks, usage, starts, flows, printed, error } = done;
        let log = Vec::new();
        CaseEvidence {
            case,
            steps,
            canary,
            bystander,
            seen,
            looks,
            usage,
            log,
            starts,
            flows,
            printed,
            error,
        }
    }

    /// Its steps; where it `pauses`, checks that bear nothing beside them may have their turn meanwhile.
    async fn steps(&self, case: &Case, composer: &mut Composer, pauses: bool) -> Done {
        let start = Instant::now();
        let mut all = Done::default();
        for step in &case.steps {
            let is_busy = pauses && !matches!(step, Step::Pause(_));
            let _busy = if is_busy { Some(self.quiet.read().await) } else { None };
            let mut transcripts = Vec::new();
            let done = match step {
                Step::Connections(scripts) => {
                    transcripts = self.probe.run(scripts, start).await;
                    Ok(())
                }
                Step::Pause(pause) => {
                    sleep(*pause).await;
                    Ok(())
                }
                Step::Stop(signal) => self.stop_process(*signal).await,
                Step::StopDuring(signal, after, scripts) => {
                    let stop = async {
                        sleep(*after).await;
                        self.stop_process(*signal).await
                    };
                    let (ran, stopped) = tokio::join!(self.probe.run(scripts, start), stop);
                    transcripts = ran;
                    stopped
                }
                Step::Look => self.look_at(case).await.map(|seen| all.looks.push(seen)),
                Step::Glance => {
                    self.catch_up().await;
                    Ok(())
                }
                Step::Measure => {
                    all.usage.push(self.usage().await);
                    Ok(())
                }
                Step::Start => self.restart(case.may_start_late).await.map(|took| all.starts.push(took)),
                Step::Hook(hook, turn) => self.turn(*hook, *turn).await,
                Step::Clock(offset) => self.set_clock(*offset).await,
                Step::Elapse(until) => self.elapse(start, *until).await,
                Step::Flow(flow) => {
                    all.flows.push(self.flow(flow, composer).await);
                    Ok(())
                }
                Step::Reconcile => self.reconcile().await.map(|printed| all.printed.push(printed)),
            };
            all.steps.push(transcripts);
            if let Err(error) = done {
                all.error = Some(error);
                break;
            }
        }
        all
    }

    /// What the receiver's processes take up, where the suite has started them and the system tells.
    pub(super) async fn usage(&self) -> Option<Usage> {
        self.process.lock().await.as_ref()?.usage()
    }

    async fn stop_process(&self, signal: Signal) -> Result<(), String> {
        match &mut *self.process.lock().await {
            Some(process) => process.stop(signal).await.map_err(|error| error.to_string()),
            None => Err("there is no process of the suite's to stop".to_owned()),
        }
    }

    /// Starts the receiver's process again; how long it took until it listens. One that may be late is waited for twice as
    /// long.
    async fn restart(&self, may_be_late: bool) -> Result<Duration, String> {
        self.wait_until_gone().await;
        let began = Instant::now();
        match &mut *self.process.lock().await {
            Some(process) => process.restart().map_err(|error| error.to_string())?,
            None => return Err("there is no process of the suite's to start".to_owned()),
        }
        let limit = self.options.start_limit;
        let patience = if may_be_late { 2 * limit } else { limit };
        match wait_for(&self.probe, patience).await {
            Ok(()) => self.is_told_gone.store(false, Ordering::Relaxed),
            Err(_) if may_be_late => return Ok(began.elapsed()),
            Err(error) => {
                let text = "after its restart the receiver did not listen within";
                return Err(format!("{text} {patience:?}: {error}"));
            }
        }
        let took = began.elapsed();
        let Some(observer) = &self.observer else { return Ok(took) };
        // Behind a proxy, what listens is not the receiver yet.
        let deadline = Instant::now() + AWAKE_LIMIT;
        loop {
            match observer.forget().await {
                Ok(()) => return Ok(took),
                Err(error) if error.may_pass() && Instant::now() < deadline => {
                    sleep(Duration::from_millis(50)).await;
                }
                Err(error) => return Err(format!("after its restart: {}", error.told())),
            }
        }
    }

    /// Waits until nobody listens any more: processes that the receiver has started may end a little after it, and what
    /// reaches one of them is lost. Where somebody still did, a proxy it may be, the next restart does not wait.
    async fn wait_until_gone(&self) {
        let deadline = Instant::now() + GONE_LIMIT;
        while self.probe.is_listening().await.is_ok() {
            if self.is_behind_proxy.load(Ordering::Relaxed) {
                return;
            }
            if Instant::now() >= deadline {
                self.is_behind_proxy.store(true, Ordering::Relaxed);
                return;
            }
            sleep(Duration::from_millis(5)).await;
        }
        self.is_behind_proxy.store(false, Ordering::Relaxed);
    }

    pub(super) async fn forget(&self) -> Result<(), String> {
        match &self.observer {
            Some(observer) => observer.forget().await.map_err(|error| error.told()),
            None => Ok(()),
        }
    }

    /// Half sends a plain webhook, to be finished when a case is over.
    fn stand_by(&self, composer: &mut Composer) -> Bystander {
        let (probe, go) = (self.probe.clone(), std::sync::Arc::new(tokio::sync::Notify::new()));
        let script = self.plain_script(composer).held_half_way();
        let waits = std::sync::Arc::clone(&go);
        let task = tokio::spawn(async move { probe.run_until(script, &waits).await });
        Bystander { task, go }
    }
}

/// What came of the steps of a case.
#[derive(Default)]
struct Done {
    steps: Vec<Vec<Transcript>>,
    looks: Vec<Vec<Effect>>,
    usage: Vec<Option<Usage>>,
    starts: Vec<Duration>,
    flows: Vec<Flowed>,
    printed: Vec<String>,
    error: Option<String>,
}

/// A plain webhook that is half sent.
struct Bystander {
    task: tokio::task::JoinHandle<Transcript>,
    go: std::sync::Arc<tokio::sync::Notify>,
}

impl Bystander {
    async fn finish(self) -> Option<Transcript> {
        self.go.notify_one();
        self.task.await.ok()
    }
}

/// Whether any of its requests was acknowledged.
fn is_taken(case: &CaseEvidence) -> bool {
    case.transcripts().flat_map(|transcript| &transcript.answers).any(Answer::is_2xx)
}

fn is_acknowledged(transcript: &Transcript) -> bool {
    transcript.answer(0).is_some_and(Answer::is_2xx)
}
