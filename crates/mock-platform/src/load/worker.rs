//! One thread of a load: its share of the calls, over its share of the connections.

mod care;
mod converse;
mod cpu;

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::{LocalSet, spawn_local};
use tokio::time::{sleep, timeout};

use self::cpu::Cpu;
use super::audit::Teller;
use super::awake::Waits;
use super::clock::now_ns;
use super::composer::Composer;
use super::connection::{Connection, Flight};
use super::ledger::LedgerPart;
use super::progress::Progress;
use super::secure::Tls;
use super::source::{Due, Source};
use super::state::State;
use super::tally::{End, Tally, count};
use super::watch::Watch;

/// What a thread is given.
pub(super) struct Work {
    pub(super) source: Source,
    pub(super) composer: Composer,
    pub(super) address: SocketAddr,
    /// How TLS is spoken; `None` where it is not.
    pub(super) tls: Option<Tls>,
    pub(super) connections: usize,
    /// What it waits for awake.
    pub(super) waits: Waits,
    pub(super) backlog: usize,
    pub(super) timeout: Duration,
    pub(super) ledger: Option<LedgerPart>,
    /// How long before it begins connections are opened.
    pub(super) opening: Duration,
    /// When it begins, by the monotonic clock.
    pub(super) start_ns: u64,
    /// When calls cease to begin, where nothing is due at instants of its own.
    pub(super) closed_loop_until_ns: Option<u64>,
    pub(super) progress: Arc<Progress>,
    /// Whom to tell what has ended.
    pub(super) teller: Option<Teller>,
    /// How long an interval of the series is.
    pub(super) interval: Duration,
}

/// How often connections are looked after.
const LOOK: Duration = Duration::from_millis(20);
/// And how often it is looked whether it is still wanted, long before it begins.
const FAR: Duration = Duration::from_millis(250);
/// So many webhooks are seen to in one go; then answers are read.
const BATCH: usize = 256;
/// The most that is read at once.
const READ: usize = 16 * 1024;

/// Carries out the work; returns when the last webhook has ended.
pub(super) fn run(work: Work) -> io::Result<Tally> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, carry_out(work))
}

/// What the tasks of a thread share; none of them holds it across an await.
struct Shared {
    state: RefCell<State>,
    connections: Vec<Connection>,
    start_ns: u64,
    cpu: Cpu,
    /// With [`Rate::Max`](super::Rate::Max): a connection that is free takes the next webhook by itself.
    is_closed_loop: bool,
    /// What is sent again follows from what is answered.
    waits_for_answers: bool,
    /// Then: something was not acknowledged, and may be due again at once.
    again: Notify,
    backlog: usize,
    timeout: Duration,
    address: SocketAddr,
    tls: Option<Tls>,
    /// What is read is used at once, whoever reads.
    read: RefCell<Box<[u8]>>,
}

async fn carry_out(work: Work) -> io::Result<Tally> {
    let mut watch = Watch::new(work.waits)?;
    let progress = Arc::clone(&work.progress);
    let waits_for_answers = work.source.waits_for_answers();
    let shared = Rc::new(Shared {
        state: RefCell::new(State {
            source: work.source,
            composer: work.composer,
            waiting: VecDeque::new(),
            idle: VecDeque::new(),
            open: 0,
            dormant: Vec::new(),
            in_flight: 0,
            is_exhausted: false,
            tally: Tally::new(work.interval),
            teller: work.teller,
            ledger: work.ledger,
        }),
        connections: (0..work.connections).map(|_| Connection::default()).collect(),
        start_ns: work.start_ns,
        cpu: Cpu::new(watch.waited_ns()),
        is_closed_loop: work.closed_loop_until_ns.is_some(),
        waits_for_answers,
        again: Notify::new(),
        backlog: work.backlog,
        timeout: work.timeout,
        address: work.address,
        tls: work.tls,
        read: RefCell::new(vec![0; READ].into_boxed_slice()),
    });
    let is_stopped = || progress.is_stopped();
    let opening_ns = u64::try_from(work.opening.as_nanos()).unwrap_or(u64::MAX);
    if !until_unless(&mut watch, work.start_ns.saturating_sub(opening_ns), is_stopped).await? {
        shared.cpu.begin();
        return Ok(shared.tally());
    }
    for id in 0..work.connections {
        spawn_local(Rc::clone(&shared).serve(id));
    }
    let is_begun = until_unless(&mut watch, work.start_ns, is_stopped).await?;
    // What it took to be ready is not of the run, and was in another time.
    watch.begin();
    shared.cpu.begin();
    if !is_begun {
        return Ok(shared.tally());
    }
    let mut look_after = pin!(shared.look_after(work.closed_loop_until_ns, &progress));
    if shared.is_closed_loop {
        shared.begin_closed_loop();
    } else {
        tokio::select! {
            sent = shared.send_what_is_due(&mut watch) => sent?,
            // It was stopped, with nothing due for long.
            () = &mut look_after => return Ok(shared.tally()),
        }
    }
    look_after.await;
    Ok(shared.tally())
}

/// Waits until an instant of the clock that may be far away; false where it is stopped before.
async fn until_unless(watch: &mut Watch, at_ns: u64, is_stopped: impl Fn() -> bool) -> io::Result<bool> {
    while !is_stopped() {
        let left = Duration::from_nanos(at_ns.saturating_sub(now_ns()));
        if left <= 2 * LOOK {
            watch.until(at_ns, || 0).await?;
            return Ok(true);
        }
        sleep((left / 2).clamp(LOOK, FAR)).await;
    }
    Ok(false)
}

impl Shared {
    /// The open loop: one wake-up serves all that is due.
    async fn send_what_is_due(&self, watch: &mut Watch) -> io::Result<()> {
        loop {
            let now = now_ns().saturating_sub(self.start_ns);
            let next = {
                let mut state = self.state.borrow_mut();
                for _ in 0..BATCH {
                    let Some(due) = state.source.peek().filter(|due| due.at_ns <= now) else { break };
                    state.source.take();
                    state.tally.planned(due.at_ns);
                    count(&mut state.tally.lag, now - due.at_ns);
                    self.dispatch(&mut state, due);
                }
                let next = state.source.peek();
                if let Some(due) = next {
                    state.composer.prepare(due);
                }
                next
            };
            match next {
                Some(due) => {
                    let due_ns = self.start_ns + due.at_ns;
                    let ended = || self.state.borrow().tally.latency.len();
                    if self.waits_for_answers {
                        // What is sent again may come before it.
                        tokio::select! {
                            biased;
                            () = self.again.notified() => {}
                            waited = watch.until(due_ns, ended) => waited?,
                        }
                    } else {
                        watch.until(due_ns, ended).await?;
                    }
                }
                None if !self.may_send_again() => return Ok(()),
                // Nothing is due; whether anything may be is asked again now and then.
                None => {
                    let _ = timeout(LOOK / 4, self.again.notified()).await;
                }
            }
        }
    }

    /// What was counted, in the end, and the CPU time since it began.
    fn tally(&self) -> Tally {
        let mut state = self.state.borrow_mut();
        self.cpu.note(&mut state.tally.series, now_ns().saturating_sub(self.start_ns));
        let mut tally = state.tally.clone();
        tally.injected.losses = state.source.losses();
        (tally.cpu_ns, tally.waited_ns) = (self.cpu.spent_ns(), self.cpu.waited_ns());
        for (form, count) in state.composer.forms() {
            *tally.forms.entry(form).or_default() += count;
        }
        tally
    }

    /// Whether something that is not due yet may be due when something is answered.
    fn may_send_again(&self) -> bool {
        let state = self.state.borrow();
        self.waits_for_answers && (state.in_flight > 0 || !state.waiting.is_empty())
    }

    fn begin_closed_loop(&self) {
        let mut state = self.state.borrow_mut();
        // Those for which there is nothing left are free again.
        for _ in 0..state.idle.len() {
            if let Some(id) = state.idle.pop_front() {
                self.next(&mut state, id, now_ns());
            }
        }
    }

    fn dispatch(&self, state: &mut State, due: Due) {
        while let Some(id) = state.idle.pop_front() {
            if self.send(state, id, due) {
                return;
            }
        }
        if state.waiting.len() < self.backlog {
            state.waiting.push_back(due);
            state.tally.most_waiting = state.tally.most_waiting.max(state.waiting.len());
            if let Some(id) = state.dormant.pop() {
                self.connections[id].wake.notify_one();
            }
        } else {
            state.drop_one(due);
        }
    }

    /// A connection is free.
    fn next(&self, state: &mut State, id: usize, now: u64) {
        match self.take(state, now) {
            Some(due) if self.send(state, id, due) => {}
            // It has served, and is at its end: another one may serve.
            Some(due) if self.connections[id].has_answered.get() => state.waiting.push_front(due),
            Some(due) => self.not_sent(state, due, now_ns()),
            None => {
                self.connections[id].free_since_ns.set(now);
                state.idle.push_back(id);
            }
        }
    }

    /// What waits, or with a closed loop what comes next, which is due now.
    fn take(&self, state: &mut State, now: u64) -> Option<Due> {
        let waited = state.waiting.pop_front();
        if waited.is_some() || !self.is_closed_loop || now < self.start_ns {
            return waited;
        }
        match state.source.take() {
            Some(due) => {
                let at_ns = now - self.start_ns;
                state.tally.planned(at_ns);
                Some(Due { at_ns, ..due })
            }
            None => {
                state.is_exhausted = true;
                None
            }
        }
    }

    /// Whether it could be sent: nothing is of a connection that is at its end, and nothing was sent then.
    fn send(&self, state: &mut State, id: usize, due: Due) -> bool {
        let connection = &self.connections[id];
        let form = state.composer.write(due, &mut connection.request.borrow_mut());
        let sent_ns = now_ns() - self.start_ns;
        if !connection.write() {
            return false;
        }
        connection.flight.set(Some(Flight { due, sent_ns }));
        state.composer.sent(form);
        state.in_flight += 1;
        state.tally.attempts += 1;
        state.tally.injected.sent(due);
        state.tally.last_sent_ns = sent_ns;
        state.tally.series.sent(sent_ns);
        count(&mut state.tally.publish_delay, sent_ns.saturating_sub(due.at_ns));
        true
    }

    /// There was no connection for a webhook, or one that was gone before anything was sent on it.
    fn not_sent(&self, state: &mut State, due: Due, now: u64) {
        let now = now.saturating_sub(self.start_ns);
        state.tally.attempts += 1;
        state.tally.injected.sent(due);
        state.tally.last_sent_ns = now;
        state.tally.series.sent(now);
        self.ended(state, due, None, now, End::NoConnection);
    }

    fn end(&self, state: &mut State, id: usize, end: End, now: u64) {
        let Some(flight) = self.connections[id].flight.take() else { return };
        let now = now - self.start_ns;
        state.in_flight -= 1;
        count(&mut state.tally.service, now.saturating_sub(flight.sent_ns));
        self.ended(state, flight.due, Some(flight.sent_ns), now, end);
    }

    /// A webhook has ended that was sent then, or was to be; where it was not acknowledged, whoever waits may have to send it again.
    fn ended(&self, state: &mut State, due: Due, sent_ns: Option<u64>, now: u64, end: End) {
        state.ended(due, sent_ns, now, end);
        if self.waits_for_answers && !end.is_acknowledged() {
            self.again.notify_one();
        }
    }
}

#[cfg(test)]
mod tests;
