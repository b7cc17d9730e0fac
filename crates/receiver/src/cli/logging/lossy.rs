//! A writer that never waits: a thread of its own writes, and what it has no room for is dropped and counted.
//!
//! `tracing-appender` has one too, but prints to the same stderr when it cannot flush, and so waits for it in the end.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::{Duration, Instant};

/// Lines that may wait.
const ROOM: usize = 4096;

/// How often an end of the program looks for room.
const POLL: Duration = Duration::from_millis(5);

#[derive(Debug)]
pub(super) struct Lossy {
    queue: SyncSender<Message>,
    dropped: Arc<AtomicU64>,
}

enum Message {
    Line(Vec<u8>),
    /// To be told once all before it is written.
    Flush(SyncSender<()>),
}

impl Lossy {
    /// Starts the thread that writes.
    pub(super) fn start(to: impl Write + Send + 'static) -> io::Result<Self> {
        let (queue, messages) = sync_channel(ROOM);
        let dropped = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&dropped);
        std::thread::Builder::new().name("logs".to_owned()).spawn(move || write(to, &messages, &count))?;
        Ok(Self { queue, dropped })
    }

    pub(super) fn line(&self) -> Line<'_> {
        Line(self)
    }

    pub(super) fn send(&self, line: &[u8]) {
        if self.queue.try_send(Message::Line(line.to_owned())).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Waits until all is written, but no longer than this.
    pub(super) fn flush(&self, patience: Duration) {
        let until = Instant::now() + patience;
        let (done, is_done) = sync_channel(1);
        while self.queue.try_send(Message::Flush(done.clone())).is_err() {
            if Instant::now() >= until {
                return;
            }
            std::thread::sleep(POLL);
        }
        // Not in time: what is left is lost, as it is where there is no room.
        let _ = is_done.recv_timeout(until.saturating_duration_since(Instant::now()));
    }
}

/// Writes until all senders are gone. What cannot be written is gone too: there is nowhere else to say it.
fn write(mut to: impl Write, messages: &Receiver<Message>, dropped: &AtomicU64) {
    for message in messages {
        match message {
            Message::Line(line) => {
                let _ = to.write_all(&line);
            }
            Message::Flush(done) => {
                let _ = to.flush();
                let _ = done.try_send(());
            }
        }
        let lost = dropped.swap(0, Ordering::Relaxed);
        if lost > 0 {
            let _ = writeln!(to, "{lost} lines of the log were dropped, for stderr did not take them");
        }
    }
}

/// Takes a line, which the subscriber writes at once.
pub(super) struct Line<'a>(&'a Lossy);

impl Write for Line<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.send(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::mpsc::{Receiver, channel};

    use super::*;

    /// Waits for a go before each write.
    struct Slow {
        go: Receiver<()>,
        written: Arc<Mutex<Vec<u8>>>,
    }

    impl Write for Slow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.go.recv().map_err(io::Error::other)?;
            self.written.lock().map_err(|_| io::ErrorKind::Other)?.extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn what_has_no_room_is_dropped_and_counted() {
        let (go, wait) = channel();
        let written = Arc::new(Mutex::new(Vec::new()));
        let lossy = Lossy::start(Slow { go: wait, written: Arc::clone(&written) }).unwrap();
        for _ in 0..ROOM * 2 {
            lossy.send(b"line\n");
        }
        for _ in 0..ROOM * 2 {
            go.send(()).unwrap();
        }
        lossy.flush(Duration::from_secs(60));
        let text = String::from_utf8(written.lock().unwrap().clone()).unwrap();
        let lines = text.lines().filter(|line| *line == "line").count();
        // One may be in the thread's hands besides those that wait.
        assert!((ROOM..=ROOM + 1).contains(&lines), "{lines}");
        let told = format!("{} lines of the log were dropped", ROOM * 2 - lines);
        assert!(text.contains(&told), "no `{told}`");
    }
}
