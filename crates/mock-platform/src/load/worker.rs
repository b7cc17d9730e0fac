//! One thread of a load: its share of the calls, over its share of the connections.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, ReadBuf};
use tokio::net::TcpStream;
use tokio::net::tcp::OwnedReadHalf;
use tokio::task::{LocalSet, spawn_local};
use tokio::time::{sleep, timeout};

use super::answer::AnswerReader;
use super::audit::Teller;
use super::clock::{now_ns, thread_cpu_ns};
use super::composer::Composer;
use super::connection::{Connection, Flight};
use super::ledger::LedgerPart;
use super::progress::{Progress, Told};
use super::source::{Due, Source};
use super::state::State;
use super::tally::{End, Tally, count};
use super::watch::Watch;

/// What a thread is given.
pub(super) struct Work {
    pub(super) source: Source,
    pub(super) composer: Composer,
    pub(super) addresses: Vec<SocketAddr>,
    pub(super) connections: usize,
    pub(super) backlog: usize,
    pub(super) timeout: Duration,
    pub(super) ledger: Option<LedgerPart>,
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

/// So long before the first webhook connections are opened.
const LEAD_NS: u64 = 50_000_000;
/// How long a connection of a closed loop rests that cannot be made.
const RETRY: Duration = Duration::from_millis(10);
/// How often connections are looked after.
const LOOK: Duration = Duration::from_millis(20);
/// Below the keep-alive of common servers (2 to 5 s), so that what they are about to close is not used.
const IDLE_NS: u64 = 1_000_000_000;
/// The most that is read at once.
const READ: usize = 16 * 1024;

/// Carries out the work; returns when the last webhook has ended.
pub(super) fn run(work: Work) -> io::Result<Tally> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let began = thread_cpu_ns();
    let local = LocalSet::new();
    let mut tally = local.block_on(&runtime, carry_out(work))?;
    tally.cpu_ns = began.zip(thread_cpu_ns()).map(|(began, ended)| ended - began);
    Ok(tally)
}

/// What the tasks of a thread share; none of them holds it across an await.
struct Shared {
    state: RefCell<State>,
    connections: Vec<Connection>,
    start_ns: u64,
    /// With [`Rate::Max`](super::Rate::Max): a connection that is free takes the next webhook by itself.
    is_closed_loop: bool,
    /// What is sent again follows from what is answered.
    waits_for_answers: bool,
    backlog: usize,
    timeout: Duration,
    addresses: Vec<SocketAddr>,
    /// What is read is used at once, whoever reads.
    read: RefCell<Box<[u8]>>,
}

async fn carry_out(work: Work) -> io::Result<Tally> {
    let mut watch = Watch::new()?;
    let progress = Arc::clone(&work.progress);
    let waits_for_answers = work.source.waits_for_answers();
    let shared = Rc::new(Shared {
        state: RefCell::new(State {
            source: work.source,
            composer: work.composer,
            waiting: VecDeque::new(),
            idle: VecDeque::new(),
            dormant: Vec::new(),
            in_flight: 0,
            is_exhausted: false,
            tally: Tally::new(work.interval),
            teller: work.teller,
            ledger: work.ledger,
        }),
        connections: (0..work.connections).map(|_| Connection::default()).collect(),
        start_ns: work.start_ns,
        is_closed_loop: work.closed_loop_until_ns.is_some(),
        waits_for_answers,
        backlog: work.backlog,
        timeout: work.timeout,
        addresses: work.addresses,
        read: RefCell::new(vec![0; READ].into_boxed_slice()),
    });
    let is_stopped = || progress.is_stopped();
    if !until_unless(&mut watch, work.start_ns.saturating_sub(LEAD_NS), is_stopped).await? {
        return Ok(shared.tally());
    }
    for id in 0..work.connections {
        spawn_local(Rc::clone(&shared).serve(id));
    }
    if !until_unless(&mut watch, work.start_ns, is_stopped).await? {
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
        if at_ns.saturating_sub(now_ns()) <= 2 * LOOK.as_nanos() as u64 {
            watch.until(at_ns, || 0).await?;
            return Ok(true);
        }
        sleep(LOOK).await;
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
                state.tally.waited_ns = watch.waited_ns();
                while let Some(due) = state.source.peek().filter(|due| due.at_ns <= now) {
                    state.source.take();
                    state.tally.planned(due.at_ns);
                    count(&mut state.tally.lag, now - due.at_ns);
                    self.dispatch(&mut state, due);
                }
                state.source.peek()
            };
            match next {
                Some(due) => {
                    let due_ns = self.start_ns + due.at_ns;
                    // What is sent again may come before it.
                    let is_far = self.waits_for_answers && due_ns > now_ns() + LOOK.as_nanos() as u64;
                    if is_far {
                        sleep(LOOK / 4).await;
                    } else {
                        let ended = || self.state.borrow().tally.latency.len();
                        watch.until(due_ns, ended).await?;
                    }
                }
                None if !self.may_send_again() => return Ok(()),
                None => sleep(LOOK / 4).await,
            }
        }
    }

    /// What was counted, in the end.
    fn tally(&self) -> Tally {
        let state = self.state.borrow();
        let mut tally = state.tally.clone();
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
        while let Some(id) = state.idle.pop_front() {
            self.next(&mut state, id, now_ns());
        }
    }

    fn dispatch(&self, state: &mut State, due: Due) {
        if let Some(id) = state.idle.pop_front() {
            self.send(state, id, due);
        } else if state.waiting.len() < self.backlog {
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
            Some(due) => self.send(state, id, due),
            None => {
                self.connections[id].free_since_ns.set(now);
                state.idle.push_back(id);
            }
        }
    }

    /// What waits, or with a closed loop what comes next, which is due now.
    fn take(&self, state: &mut State, now: u64) -> Option<Due> {
        if !self.is_closed_loop || now < self.start_ns {
            return state.waiting.pop_front();
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

    fn send(&self, state: &mut State, id: usize, due: Due) {
        let connection = &self.connections[id];
        let mut request = connection.request.borrow_mut();
        state.composer.write(due, &mut request);
        let sent_ns = now_ns() - self.start_ns;
        connection.flight.set(Some(Flight { due, sent_ns }));
        state.in_flight += 1;
        state.tally.attempts += 1;
        state.tally.last_sent_ns = sent_ns;
        state.tally.series.sent(sent_ns);
        count(&mut state.tally.publish_delay, sent_ns.saturating_sub(due.at_ns));
        drop(request);
        connection.write();
    }

    fn end(&self, state: &mut State, id: usize, end: End, now: u64) {
        let Some(flight) = self.connections[id].flight.take() else { return };
        let now = now - self.start_ns;
        state.in_flight -= 1;
        count(&mut state.tally.service, now.saturating_sub(flight.sent_ns));
        state.ended(flight.due, Some(flight.sent_ns), now, end);
    }

    /// One connection, opened as often as it has to be.
    async fn serve(self: Rc<Self>, id: usize) {
        loop {
            match self.connect().await {
                Some(stream) => self.converse(id, stream).await,
                None => {
                    self.fail_one();
                    if self.is_closed_loop {
                        sleep(RETRY).await;
                    }
                }
            }
            let connection = &self.connections[id];
            *connection.stream.borrow_mut() = None;
            let rests = {
                let mut state = self.state.borrow_mut();
                state.idle.retain(|idle| *idle != id);
                let rests = state.waiting.is_empty() && !self.is_closed_loop;
                if rests {
                    state.dormant.push(id);
                }
                rests
            };
            if rests {
                connection.wake.notified().await;
            }
        }
    }

    async fn connect(&self) -> Option<TcpStream> {
        for address in &self.addresses {
            if let Ok(Ok(stream)) = timeout(self.timeout, TcpStream::connect(address)).await {
                // What cannot be set is slower, and no error.
                let _ = stream.set_nodelay(true);
                if stream.writable().await.is_ok() {
                    self.state.borrow_mut().tally.connections += 1;
                    return Some(stream);
                }
            }
        }
        None
    }

    /// What waited for a connection that cannot be made.
    fn fail_one(&self) {
        let mut state = self.state.borrow_mut();
        let now = now_ns();
        let Some(due) = self.take(&mut state, now) else { return };
        let now = now.saturating_sub(self.start_ns);
        state.tally.attempts += 1;
        state.tally.series.sent(now);
        state.ended(due, None, now, End::NoConnection);
    }

    /// Reads answers, and sends what is next, until the connection is closed.
    async fn converse(&self, id: usize, stream: TcpStream) {
        let connection = &self.connections[id];
        connection.is_late.set(false);
        let (mut incoming, outgoing) = stream.into_split();
        *connection.stream.borrow_mut() = Some(Rc::new(outgoing));
        self.next(&mut self.state.borrow_mut(), id, now_ns());
        let mut reader = AnswerReader::default();
        let end = poll_fn(|context| self.poll_end(context, id, &mut incoming, &mut reader)).await;
        if let Some(end) = end {
            self.end(&mut self.state.borrow_mut(), id, end, now_ns());
        }
    }

    /// Reads until the connection is at its end: what that is to a webhook in flight, if it is anything.
    fn poll_end(
        &self,
        context: &mut Context<'_>,
        id: usize,
        incoming: &mut OwnedReadHalf,
        reader: &mut AnswerReader,
    ) -> Poll<Option<End>> {
        let connection = &self.connections[id];
        let mut room = self.read.borrow_mut();
        loop {
            let mut read = ReadBuf::new(&mut room);
            // Where less comes than there is room for nothing more is there: it is not read once more to see that, as by `try_read`.
            let end = match ready!(Pin::new(&mut *incoming).poll_read(context, &mut read)) {
                Ok(()) if read.filled().is_empty() => match reader.closed() {
                    Some(answer) => End::Answered(answer),
                    None if connection.is_late.get() => End::TimedOut,
                    None => End::Reset,
                },
                Ok(()) => match reader.feed(read.filled()) {
                    Ok(None) => continue,
                    // Nobody asked.
                    Ok(Some(_)) if connection.flight.get().is_none() => return Poll::Ready(None),
                    Ok(Some(answer)) if answer.keeps => {
                        let mut state = self.state.borrow_mut();
                        let now = now_ns();
                        self.end(&mut state, id, End::Answered(answer), now);
                        self.next(&mut state, id, now);
                        continue;
                    }
                    Ok(Some(answer)) => End::Answered(answer),
                    Err(_) => End::NoHttp,
                },
                Err(_) if connection.is_late.get() => End::TimedOut,
                Err(_) => End::Reset,
            };
            return Poll::Ready(Some(end));
        }
    }

    /// Ends what takes too long, closes what is unused for long, tells how far it is; until all has ended.
    async fn look_after(&self, closed_loop_until_ns: Option<u64>, progress: &Progress) {
        let mut told = Told::default();
        loop {
            sleep(LOOK).await;
            let now = now_ns();
            let mut state = self.state.borrow_mut();
            if closed_loop_until_ns.is_some_and(|until| now >= until) {
                state.source.end();
            }
            if progress.is_stopped() {
                state.source.stop();
                while let Some(due) = state.waiting.pop_front() {
                    state.drop_one(due);
                }
            }
            self.close_what_is_late_or_unused(&mut state, now);
            state.tally.injected = state.source.injected();
            if let Some(teller) = &mut state.teller {
                teller.tell();
            }
            progress.tell(&mut told, &state.tally, state.in_flight);
            let is_out = if self.is_closed_loop { state.is_exhausted } else { state.source.peek().is_none() };
            if is_out && state.in_flight == 0 && state.waiting.is_empty() {
                return;
            }
        }
    }

    fn close_what_is_late_or_unused(&self, state: &mut State, now: u64) {
        let timeout_ns = u64::try_from(self.timeout.as_nanos()).unwrap_or(u64::MAX);
        for connection in &self.connections {
            let Some(flight) = connection.flight.get() else { continue };
            let late_ns = (self.start_ns + flight.sent_ns).saturating_add(timeout_ns);
            if now > late_ns {
                connection.is_late.set(true);
                connection.close();
            }
        }
        if self.is_closed_loop {
            return;
        }
        // Those that are longest free are in front.
        while let Some(&id) = state.idle.front() {
            let connection = &self.connections[id];
            if now.saturating_sub(connection.free_since_ns.get()) <= IDLE_NS {
                break;
            }
            state.idle.pop_front();
            connection.close();
        }
    }
}
