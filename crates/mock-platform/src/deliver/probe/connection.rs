use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Barrier, Notify};
use tokio::time::{Instant, sleep, timeout};

use super::answers::Answers;
use crate::deliver::stream::{Reader, Stream, Writer};
use crate::judge::check::{Action, Answer, End, Script, Split, Transcript};

/// As many of the first bytes are kept, whatever they are.
const FIRST_BYTES: usize = 32;
/// How long a write may block where the script does not wait for that.
const WRITE_LIMIT: Duration = Duration::from_secs(10);
/// How long the others of a step are waited for.
const BARRIER_LIMIT: Duration = Duration::from_secs(5);

/// Does what a script says, and reads meanwhile.
pub(super) async fn run(
    script: Script,
    stream: io::Result<Stream>,
    barrier: Arc<Barrier>,
    start: Instant,
    limit: Duration,
) -> Transcript {
    let mut transcript = Transcript { requests: script.requests.clone(), ..Transcript::default() };
    let resets = script.actions.iter().any(|action| matches!(action, Action::Reset));
    let (read, write) = match stream.and_then(|stream| stream.split(resets)) {
        Ok(halves) => halves,
        Err(error) => {
            transcript.connect_error = Some(error.to_string());
            if super::has_barrier(&script) {
                // The others wait for this one too.
                let _ = timeout(BARRIER_LIMIT, barrier.wait()).await;
            }
            return transcript;
        }
    };
    let methods = script.requests.iter().map(|sent| sent.method.clone()).collect();
    let inbox = Arc::new(Inbox::new(methods));
    let reader =
        if script.is_deaf { Err(read) } else { Ok(tokio::spawn(receive(read, Arc::clone(&inbox), start))) };
    let mut performer = Performer { write: Some(write), inbox, barrier, start, limit, transcript };
    for action in script.actions {
        if matches!(action, Action::EndUnlessKept) && !performer.is_kept() {
            break;
        }
        performer.perform(action).await;
    }
    let Performer { write, inbox, mut transcript, .. } = performer;
    if let Some(write) = write {
        write.close().await;
    }
    if let Ok(reader) = reader {
        reader.abort();
    }
    let received = inbox.received();
    transcript.answers.clone_from(&received.answers.done);
    transcript.garbled.clone_from(&received.answers.garbled);
    transcript.end = received.end;
    transcript.first_bytes.clone_from(&received.first_bytes);
    transcript
}

struct Performer {
    /// `None` once it was reset.
    write: Option<Writer>,
    inbox: Arc<Inbox>,
    barrier: Arc<Barrier>,
    start: Instant,
    limit: Duration,
    transcript: Transcript,
}

impl Performer {
    async fn perform(&mut self, action: Action) {
        match action {
            Action::Send { bytes, split, ends_request } => {
                self.send(&bytes, split).await;
                if ends_request {
                    self.transcript.sent_at.push(self.start.elapsed());
                }
            }
            Action::SendUntilBlocked { bytes, most, patience } => {
                let from = self.transcript.sent_bytes;
                while self.transcript.sent_bytes - from < most && self.write_all(&bytes, patience).await {}
            }
            Action::Pause(pause) if pause.is_zero() => tokio::task::yield_now().await,
            Action::Pause(pause) => sleep(pause).await,
            Action::Barrier => {
                // Bytes that were handed over shall be there before the others are let go.
                sleep(Duration::from_millis(2)).await;
                let _ = timeout(BARRIER_LIMIT, self.barrier.wait()).await;
            }
            Action::Await(limit) => {
                let wanted = self.transcript.sent_at.len();
                let answered = self.inbox.until(|received| received.answers.done.len() >= wanted);
                self.transcript.timed_out |= timeout(limit.unwrap_or(self.limit), answered).await.is_err();
            }
            // Judged by whoever goes through the actions.
            Action::EndUnlessKept => {}
            Action::AwaitClose(limit) => {
                let closed = self.inbox.until(|_| false);
                self.transcript.timed_out |= timeout(limit, closed).await.is_err();
            }
            Action::HalfClose => {
                if let Some(write) = &mut self.write
                    && let Err(error) = write.shutdown().await
                {
                    self.transcript.write_error.get_or_insert(error.to_string());
                }
            }
            Action::Reset => self.reset(),
        }
    }

    fn is_kept(&self) -> bool {
        let received = self.inbox.received();
        let says_close = received.answers.done.last().is_some_and(Answer::announces_close);
        !self.transcript.timed_out && received.end == End::Open && !says_close
    }

    async fn send(&mut self, bytes: &[u8], split: Option<Split>) {
        let Some(split) = split else {
            self.write_all(bytes, WRITE_LIMIT).await;
            return;
        };
        for piece in bytes.chunks(split.every.max(1)) {
            if self.inbox.received().end != End::Open || !self.write_all(piece, WRITE_LIMIT).await {
                return;
            }
            if split.pause.is_zero() {
                tokio::task::yield_now().await;
            } else {
                sleep(split.pause).await;
            }
        }
    }

    /// False where the connection takes no more.
    async fn write_all(&mut self, bytes: &[u8], patience: Duration) -> bool {
        let Some(write) = &mut self.write else { return false };
        let mut rest = bytes;
        while !rest.is_empty() {
            match timeout(patience, write.write(rest)).await {
                Ok(Ok(count)) => {
                    self.transcript.sent_bytes += count as u64;
                    rest = &rest[count..];
                }
                Ok(Err(error)) => {
                    self.transcript.write_error.get_or_insert(error.to_string());
                    return false;
                }
                Err(_) => {
                    self.transcript.was_blocked = true;
                    return false;
                }
            }
        }
        true
    }

    fn reset(&mut self) {
        self.inbox.reset();
        if let Some(Err(error)) = self.write.take().map(Writer::reset) {
            self.transcript.write_error.get_or_insert(error.to_string());
        }
    }
}

/// What was received, and a bell for whoever waits for it.
#[derive(Debug)]
struct Inbox {
    received: Mutex<Received>,
    bell: Notify,
    stop: Notify,
}

#[derive(Debug)]
struct Received {
    answers: Answers,
    first_bytes: Vec<u8>,
    end: End,
}

impl Inbox {
    fn new(methods: Vec<String>) -> Self {
        let received = Received { answers: Answers::new(methods), first_bytes: Vec::new(), end: End::Open };
        Self { received: Mutex::new(received), bell: Notify::new(), stop: Notify::new() }
    }

    fn received(&self) -> std::sync::MutexGuard<'_, Received> {
        self.received.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets the reader go, so that its half of the socket is closed too.
    fn reset(&self) {
        self.stop.notify_one();
    }

    /// Waits until `is_enough`, or until nothing more can come.
    async fn until(&self, is_enough: impl Fn(&Received) -> bool) {
        loop {
            let rung = self.bell.notified();
            {
                let received = self.received();
                if is_enough(&received) || received.end != End::Open || received.answers.garbled.is_some() {
                    return;
                }
            }
            rung.await;
        }
    }
}

async fn receive(mut read: Reader, inbox: Arc<Inbox>, start: Instant) {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let came = tokio::select! {
            came = read.read(&mut buffer) => came,
            () = inbox.stop.notified() => return,
        };
        let at = start.elapsed();
        let is_over = {
            let mut received = inbox.received();
            match came {
                Ok(0) => {
                    received.answers.end(at);
                    received.end = End::Closed { at };
                }
                Ok(count) => {
                    let left = FIRST_BYTES.saturating_sub(received.first_bytes.len());
                    received.first_bytes.extend_from_slice(&buffer[..count.min(left)]);
                    received.answers.push(&buffer[..count], at);
                }
                Err(_) => {
                    received.answers.end(at);
                    received.end = End::Reset { at };
                }
            }
            received.end != End::Open
        };
        // One waiter at most: the script of this connection.
        inbox.bell.notify_one();
        if is_over {
            return;
        }
    }
}
