use std::collections::BTreeMap;
use std::io::{IsTerminal, Write};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use piopiy_mock_platform::deliver::check_run::Progress;

use crate::cli::terminal;

/// How many of the checks that run are named.
const NAMED: usize = 3;
/// Between two drawings at least.
const EVERY: Duration = Duration::from_millis(100);
/// How much of the line is the bar.
const WIDTH: usize = 24;

/// A line that is written over, where a person looks at a terminal.
pub(crate) struct Line {
    is_watched: bool,
    state: Mutex<State>,
}

struct State {
    began: Instant,
    drawn: Option<Instant>,
    over: usize,
    of: usize,
    /// What runs, and when it began.
    running: BTreeMap<String, Instant>,
    /// What random schedules have come to; empty before there are any.
    explored: String,
}

impl Line {
    /// For so many checks.
    pub(crate) fn new(of: usize) -> Self {
        let is_watched =
            std::io::stderr().is_terminal() && std::env::var_os("CI").is_none() && !terminal::is_dumb();
        let state = State {
            began: Instant::now(),
            drawn: None,
            over: 0,
            of,
            running: BTreeMap::new(),
            explored: String::new(),
        };
        Self { is_watched, state: Mutex::new(state) }
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let Ok(mut state) = self.state.lock() else { return };
        change(&mut state);
        if self.is_watched && state.drawn.is_none_or(|drawn| drawn.elapsed() >= EVERY) {
            state.drawn = Some(Instant::now());
            let columns = terminal_size::terminal_size_of(std::io::stderr())
                .map_or(80, |(terminal_size::Width(columns), _)| usize::from(columns));
            let line = state.line(Instant::now(), columns.saturating_sub(1));
            // Nobody may be reading.
            let _ = write!(std::io::stderr().lock(), "\r\x1b[2K{line}\r");
        }
    }

    /// Leaves nothing behind.
    pub(crate) fn clear(&self) {
        if self.is_watched {
            let _ = write!(std::io::stderr().lock(), "\r\x1b[2K");
        }
    }
}

impl State {
    fn line(&self, now: Instant, columns: usize) -> String {
        if !self.explored.is_empty() {
            let line = format!("{} s: {}", (now - self.began).as_secs(), self.explored);
            return line.chars().take(columns).collect();
        }
        let Self { over, of, .. } = *self;
        let bar: String = (0..WIDTH).map(|at| if at * of < over * WIDTH { '#' } else { '.' }).collect();
        let left = match u32::try_from(over) {
            Ok(over @ 1..) => {
                let left =
                    (now - self.began) / over * u32::try_from(of.saturating_sub(self.over)).unwrap_or(0);
                format!(", about {} s left", left.as_secs())
            }
            _ => String::new(),
        };
        // Those first that have run longest: they are what is waited for.
        let mut running: Vec<(&Instant, &str)> =
            self.running.iter().map(|(check, began)| (began, check.as_str())).collect();
        running.sort_unstable();
        let named: Vec<&str> = running.iter().take(NAMED).map(|(_, check)| *check).collect();
        let more = match running.len().saturating_sub(NAMED) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let line = format!("[{bar}] {over}/{of}{left}  {}{more}", named.join(" "));
        line.chars().take(columns).collect()
    }
}

impl Progress for Line {
    fn begun(&self, check: &str) {
        self.change(|state| {
            state.running.insert(check.to_owned(), Instant::now());
        });
    }

    fn over(&self, over: usize, of: usize, check: &str) {
        self.change(|state| {
            state.running.remove(check);
            (state.over, state.of) = (over, of);
        });
    }

    fn explored(&self, so_far: &str) {
        self.change(|state| so_far.clone_into(&mut state.explored));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_how_far_it_is_and_what_it_waits_for() {
        let began = Instant::now();
        let at = |seconds| began + Duration::from_secs(seconds);
        let running = [("TRN-001", 9), ("SEC-005", 1), ("DUP-002", 3), ("ORD-004", 8)];
        let running = running.map(|(check, since)| (check.to_owned(), at(since)));
        let state = State {
            began,
            drawn: None,
            over: 12,
            of: 48,
            running: BTreeMap::from(running),
            explored: String::new(),
        };
        let line = state.line(at(10), 200);
        assert_eq!(
            line,
            "[######..................] 12/48, about 29 s left  SEC-005 DUP-002 ORD-004 and 1 more"
        );
        assert_eq!(state.line(at(10), 10), "[######...");
    }

    #[test]
    fn exploration_comes_last_and_says_what_it_has_found() {
        let began = Instant::now();
        let explored = "16 schedules, 120 deliveries".to_owned();
        let state = State { began, drawn: None, over: 3, of: 3, running: BTreeMap::new(), explored };
        assert_eq!(state.line(began + Duration::from_secs(9), 200), "9 s: 16 schedules, 120 deliveries");
        assert_eq!(state.line(began, 8), "0 s: 16 ");
    }

    #[test]
    fn nothing_is_known_before_the_first_is_over() {
        let began = Instant::now();
        let state =
            State { began, drawn: None, over: 0, of: 3, running: BTreeMap::new(), explored: String::new() };
        assert_eq!(state.line(began, 200).trim_end(), "[........................] 0/3");
    }
}
