use std::io::{self, Write};
use std::sync::Mutex;

use piopiy_mock_platform::deliver::check_run::Progress;
use piopiy_mock_platform::judge::report::{CheckReport, CheckResult, LineWriter};

use super::progress::Line;
use super::sinks::unwritable;
use crate::cli::exit::Failure;

/// Reports that are told line by line, while the run goes on.
#[derive(Default)]
pub(super) struct Stream(Mutex<State>);

#[derive(Default)]
struct State {
    lines: LineWriter,
    outputs: Vec<Output>,
}

/// Where lines go.
struct Output {
    place: String,
    to: Box<dyn Write + Send>,
    /// Why it takes no more.
    broken: Option<io::Error>,
}

/// What is said while a run goes on: to people, and line by line.
pub(super) struct Watch<'a> {
    pub(super) line: &'a Line,
    pub(super) stream: &'a Stream,
    /// Of several runs only the first is told as it goes on: what all come to is known in the end.
    pub(super) is_first: bool,
}

impl Stream {
    pub(super) fn add(&mut self, place: String, to: Box<dyn Write + Send>) {
        if let Ok(state) = self.0.get_mut() {
            state.outputs.push(Output { place, to, broken: None });
        }
    }

    /// Tells what is left; and why not, where that is so.
    pub(super) fn end(&self, report: &CheckReport) -> Result<(), Failure> {
        self.tell(|lines| lines.end(report));
        let Ok(state) = self.0.lock() else { return Ok(()) };
        // Nobody reads any more, which says nothing of what was found.
        let is_trouble = |error: &&io::Error| error.kind() != io::ErrorKind::BrokenPipe;
        let mut broken = state.outputs.iter().filter_map(|output| {
            let error = output.broken.as_ref().filter(is_trouble)?;
            Some(unwritable(&output.place, error))
        });
        broken.next().map_or(Ok(()), Err)
    }

    fn tell(&self, new: impl FnOnce(&mut LineWriter) -> String) {
        let Ok(mut state) = self.0.lock() else { return };
        let State { lines, outputs } = &mut *state;
        if outputs.is_empty() {
            return;
        }
        let text = new(lines);
        for output in outputs.iter_mut().filter(|output| output.broken.is_none()) {
            output.broken = output.to.write_all(text.as_bytes()).and_then(|()| output.to.flush()).err();
        }
    }
}

impl Progress for Watch<'_> {
    fn started(&self, report: &CheckReport) {
        if self.is_first {
            self.stream.tell(|lines| lines.begin(report));
        }
    }

    fn begun(&self, check: &str) {
        self.line.begun(check);
    }

    fn over(&self, over: usize, of: usize, check: &str) {
        self.line.over(over, of, check);
    }

    fn judged(&self, result: &CheckResult) {
        if self.is_first {
            self.stream.tell(|lines| lines.check(result));
        }
    }

    fn explored(&self, so_far: &str) {
        self.line.explored(so_far);
    }
}
