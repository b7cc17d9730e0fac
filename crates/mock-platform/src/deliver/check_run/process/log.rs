//! What a process says on stdout and stderr.

use std::collections::VecDeque;
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncRead, AsyncReadExt};

/// As many of the last lines are kept, and of each as many bytes.
const LINES: usize = 10_000;
const LINE: usize = 4_096;

/// The last lines that were said, those of both streams together; each is whole, for each stream has its own.
#[derive(Debug, Default)]
pub(super) struct Log {
    lines: Mutex<VecDeque<Vec<u8>>>,
}

impl Log {
    /// Reads on until the stream ends, and says it all on stderr, so that stdout stays one document.
    pub(super) fn listen(self: &Arc<Self>, mut stream: impl AsyncRead + Send + Unpin + 'static) {
        let log = Arc::clone(self);
        tokio::spawn(async move {
            let (mut buffer, mut line) = (vec![0; 8 * 1024], Vec::new());
            while let Ok(count @ 1..) = stream.read(&mut buffer).await {
                // Nobody may be reading.
                let _ = std::io::stderr().lock().write_all(&buffer[..count]);
                for &byte in &buffer[..count] {
                    if byte == b'\n' {
                        log.keep(std::mem::take(&mut line));
                    } else if line.len() < LINE {
                        line.push(byte);
                    }
                }
            }
            log.keep(line);
        });
    }

    /// The lines with a text in them.
    pub(super) fn lines_with(&self, text: &str) -> Vec<String> {
        let holds = |line: &&Vec<u8>| line.windows(text.len()).any(|window| window == text.as_bytes());
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.iter().filter(holds).map(|line| String::from_utf8_lossy(line).into_owned()).collect()
    }

    fn keep(&self, line: Vec<u8>) {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() == LINES {
            lines.pop_front();
        }
        lines.push_back(line);
    }
}
