use std::collections::VecDeque;
use std::io::{IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

use piopiy_mock_platform::load::{Expected, Moment};

use crate::cli::terminal;

/// How often it is drawn where a person looks at a terminal, and how often it is told in lines.
const DRAWN: Duration = Duration::from_millis(200);
const TOLD: Duration = Duration::from_secs(2);
/// So much time has to pass for a rate.
const WINDOW: Duration = Duration::from_secs(1);
/// One bar of the sparkline for each second.
const BAR: Duration = Duration::from_secs(1);
const BARS: usize = 120;
/// A terminal with fewer columns gets fewer words.
const WIDE: usize = 64;

/// What a person sees of a load while it goes on: three lines that are written over, or a line now and then.
pub(super) struct View {
    is_watched: bool,
    is_coloured: bool,
    is_utf8: bool,
    began: Instant,
    state: State,
    /// How many lines are to be written over.
    drawn: usize,
}

struct State {
    expected: Expected,
    is_full_speed: bool,
    is_stopping: bool,
    /// The moments of the last second.
    recent: VecDeque<(Duration, Moment)>,
    /// When the bar that grows began, and what was then.
    bar: (Duration, Moment),
    /// What 99 in 100 took at most in each second, in microseconds; `None` where none ended.
    bars: VecDeque<Option<u64>>,
}

impl View {
    pub(super) fn new(expected: Expected, is_full_speed: bool) -> Self {
        let is_terminal = std::io::stderr().is_terminal();
        Self {
            is_watched: is_terminal && std::env::var_os("CI").is_none() && !terminal::is_dumb(),
            is_coloured: terminal::is_coloured(clap::ColorChoice::Auto, is_terminal),
            is_utf8: terminal::is_utf8(),
            began: Instant::now(),
            state: State::new(expected, is_full_speed),
            drawn: 0,
        }
    }

    /// How often it wants to be told how far the load is.
    pub(super) fn every(&self) -> Duration {
        if self.is_watched { DRAWN } else { TOLD }
    }

    /// No more is sent; what is in flight is waited for.
    pub(super) fn stopping(&mut self) {
        self.state.is_stopping = true;
    }

    /// Shows how far it is.
    pub(super) fn show(&mut self, moment: &Moment) {
        let at = self.began.elapsed();
        self.state.note(at, moment);
        let mut text = String::new();
        if self.is_watched {
            let columns = terminal_size::terminal_size_of(std::io::stderr())
                .map_or(80, |(terminal_size::Width(columns), _)| usize::from(columns));
            let lines = self.state.lines(at, moment, columns.saturating_sub(1), self.is_utf8);
            text.push_str(&self.over());
            self.drawn = lines.len();
            text.push_str(&lines.join("\n"));
            if self.is_coloured && moment.errors > 0 {
                let told = errors(moment);
                text = text.replacen(&told, &format!("\x1b[31m{told}\x1b[39m"), 1);
            }
        } else {
            text.push_str(&self.state.line(at, moment));
            text.push('\n');
        }
        // Nobody may be reading.
        let _ = std::io::stderr().lock().write_all(text.as_bytes());
    }

    /// Says something that stays, above what is drawn.
    pub(super) fn tell(&mut self, line: &str) {
        let text = format!("{}{line}\n", self.over());
        self.drawn = 0;
        let _ = std::io::stderr().lock().write_all(text.as_bytes());
    }

    /// Leaves nothing behind of what was drawn.
    pub(super) fn clear(&mut self) {
        let _ = std::io::stderr().lock().write_all(self.over().as_bytes());
        self.drawn = 0;
    }

    /// Back to where the drawing began, with nothing below.
    fn over(&self) -> String {
        match self.drawn {
            0 => String::new(),
            1 => "\r\x1b[J".to_owned(),
            lines => format!("\r\x1b[{}A\x1b[J", lines - 1),
        }
    }
}

impl State {
    fn new(expected: Expected, is_full_speed: bool) -> Self {
        Self {
            expected,
            is_full_speed,
            is_stopping: false,
            recent: VecDeque::from([(Duration::ZERO, Moment::default())]),
            bar: (Duration::ZERO, Moment::default()),
            bars: VecDeque::new(),
        }
    }

    fn note(&mut self, at: Duration, moment: &Moment) {
        self.recent.push_back((at, *moment));
        // The one that is a second old stays.
        while self.recent.get(1).is_some_and(|(then, _)| at.saturating_sub(*then) >= WINDOW) {
            self.recent.pop_front();
        }
        if at.saturating_sub(self.bar.0) >= BAR {
            self.bars.push_back(moment.since(&self.bar.1).latency_us(990));
            self.bar = (at, *moment);
            if self.bars.len() > BARS {
                self.bars.pop_front();
            }
        }
    }

    /// What came in the last second, and how long that was.
    fn lately(&self, at: Duration, moment: &Moment) -> (Moment, f64) {
        let (then, before) = self.recent.front().copied().unwrap_or_default();
        (moment.since(&before), at.saturating_sub(then).as_secs_f64().max(1e-3))
    }

    fn rate(&self, at: Duration, moment: &Moment) -> String {
        let (lately, seconds) = self.lately(at, moment);
        let sent = lately.sent as f64 / seconds;
        if self.is_full_speed {
            return format!("{sent:.0}/s");
        }
        format!("{sent:.0}/s of {:.0}/s", lately.planned as f64 / seconds)
    }

    fn p99(&self, at: Duration, moment: &Moment) -> String {
        match self.lately(at, moment).0.latency_us(990) {
            None => "p99 -".to_owned(),
            Some(us) if us < 1_000_000 => format!("p99 {:.1} ms", us as f64 / 1e3),
            Some(us) => format!("p99 {:.1} s", us as f64 / 1e6),
        }
    }

    /// Where it stands: which trial, for how long, and how long it still is.
    fn stands(&self, moment: &Moment, part: Option<f64>) -> String {
        let trial = match moment.trial {
            0 => String::new(),
            trial => format!("trial {trial}, "),
        };
        let left = part.map(|part| self.left(moment, part)).unwrap_or_default();
        match () {
            () if self.is_stopping => format!("{trial}{} s, stopping", moment.elapsed.as_secs()),
            () if !moment.begins_in.is_zero() => {
                format!("{trial}begins in {:.0} s", moment.begins_in.as_secs_f64().ceil())
            }
            () if moment.is_settling => {
                format!("{trial}{} s, waiting for effects", moment.elapsed.as_secs())
            }
            () => format!("{trial}{} s{left}", moment.elapsed.as_secs()),
        }
    }

    fn left(&self, moment: &Moment, part: f64) -> String {
        let seconds = moment.elapsed.as_secs_f64();
        let left = match self.expected.seconds {
            Some(expected) if expected > seconds => expected - seconds,
            Some(_) => 0.0,
            None => seconds * (1.0 - part) / part.max(1e-3),
        };
        if part >= 1.0 { ", ending".to_owned() } else { format!(", {left:.0} s left") }
    }

    fn lines(&self, at: Duration, moment: &Moment, columns: usize, is_utf8: bool) -> Vec<String> {
        let is_wide = columns >= WIDE;
        let part = self.expected.part(moment.elapsed.as_secs_f64(), moment.sent);
        let first = match part.filter(|_| moment.begins_in.is_zero()) {
            Some(part) => {
                let width = if is_wide { 32 } else { 12 };
                let bar: String = (0..width)
                    .map(|n| if f64::from(n) < part * f64::from(width) { '#' } else { '.' })
                    .collect();
                format!("[{bar}] {}", self.stands(moment, Some(part)))
            }
            None => self.stands(moment, None),
        };
        let (rate, in_flight) = (self.rate(at, moment), moment.in_flight);
        let dropped =
            if moment.dropped > 0 { format!(", {} dropped", moment.dropped) } else { String::new() };
        let (second, third) = if is_wide {
            let sent =
                format!("{} sent, {rate}, {in_flight} in flight, {}{dropped}", moment.sent, errors(moment));
            (sent, format!("{}{}", self.p99(at, moment), seen(moment)))
        } else {
            let p99 = format!("{}{dropped}, {}{}", errors(moment), self.p99(at, moment), seen(moment));
            (format!("{rate}, {in_flight} in flight"), p99)
        };
        let room = columns.saturating_sub(third.chars().count() + 1);
        let third = format!("{third} {}", sparkline(&self.bars, room, is_utf8));
        [first, second, third].into_iter().map(|line| line.chars().take(columns).collect()).collect()
    }

    fn line(&self, at: Duration, moment: &Moment) -> String {
        let part = self.expected.part(moment.elapsed.as_secs_f64(), moment.sent);
        let dropped =
            if moment.dropped > 0 { format!(", {} dropped", moment.dropped) } else { String::new() };
        format!(
            "{}: {} sent, {}, {} in flight, {}, {}{dropped}{}",
            self.stands(moment, part),
            moment.sent,
            self.rate(at, moment),
            moment.in_flight,
            self.p99(at, moment),
            errors(moment),
            seen(moment),
        )
    }
}

/// What the receiver did, where somebody looks.
fn seen(moment: &Moment) -> String {
    let Some(seen) = &moment.seen else { return String::new() };
    let parts = [(seen.unseen, "not seen yet"), (seen.duplicated, "doubled"), (seen.wrong, "wrong")];
    let told = parts.iter().filter(|(count, name)| *count > 0 || *name == "doubled");
    told.map(|(count, name)| format!(", {count} {name}")).collect()
}

fn errors(moment: &Moment) -> String {
    format!("{} error{}", moment.errors, if moment.errors == 1 { "" } else { "s" })
}

/// The last bars that there is room for, from the least to the most of them.
fn sparkline(bars: &VecDeque<Option<u64>>, room: usize, is_utf8: bool) -> String {
    const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    const ASCII: [char; 8] = ['_', '.', ',', '-', '=', '+', '*', '#'];
    let levels = if is_utf8 { BLOCKS } else { ASCII };
    let shown = || bars.iter().skip(bars.len().saturating_sub(room));
    let logs = || shown().flatten().map(|us| (*us as f64).max(1.0).log2());
    let (least, most) = (logs().fold(f64::MAX, f64::min), logs().fold(0.0, f64::max));
    // Less than a doubling from the least to the most is no mountain.
    let height = (most - least).max(3.0);
    let bar = |us: &Option<u64>| match us {
        None => ' ',
        Some(us) => levels[((((*us as f64).max(1.0).log2() - least) / height * 7.0) as usize).min(7)],
    };
    shown().map(bar).collect()
}

#[cfg(test)]
mod tests {
    use piopiy_mock_platform::load::Seen;

    use super::*;

    /// A moment with so many sent, planned, errors and in flight, after twelve seconds.
    fn moment(sent: u64, planned: u64, errors: u64, in_flight: u64) -> Moment {
        let mut moment = Moment::default();
        moment.elapsed = at(12.0);
        (moment.sent, moment.planned, moment.errors, moment.in_flight) = (sent, planned, errors, in_flight);
        moment
    }

    fn at(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    fn state() -> State {
        let mut expected = Expected::default();
        expected.seconds = Some(30.0);
        let mut state = State::new(expected, false);
        state.note(at(11.0), &moment(22_000, 22_000, 0, 2));
        state.note(at(12.0), &moment(23_990, 24_000, 1, 10));
        state
    }

    #[test]
    fn the_view_says_how_far_it_is_and_fits() {
        let (state, now) = (state(), moment(23_990, 24_000, 1, 10));
        assert_eq!(
            state.lines(at(12.0), &now, 79, true),
            [
                "[#############...................] 12 s, 18 s left",
                "23990 sent, 1990/s of 2000/s, 10 in flight, 1 error",
                "p99 -   ",
            ]
        );
        let narrow = state.lines(at(12.0), &now, 39, true);
        assert_eq!(
            narrow,
            ["[#####.......] 12 s, 18 s left", "1990/s of 2000/s, 10 in flight", "1 error, p99 -   "]
        );
        for columns in 0..120 {
            assert!(
                state
                    .lines(at(12.0), &now, columns, false)
                    .iter()
                    .all(|line| line.chars().count() <= columns)
            );
        }
    }

    #[test]
    fn a_line_says_the_same_without_a_terminal() {
        let (mut state, now) = (state(), moment(23_990, 24_000, 1, 10));
        assert_eq!(
            state.line(at(12.0), &now),
            "12 s, 18 s left: 23990 sent, 1990/s of 2000/s, 10 in flight, p99 -, 1 error"
        );
        let mut watched = now;
        watched.seen = Some(Seen::default());
        assert!(state.line(at(12.0), &watched).ends_with("p99 -, 1 error, 0 doubled"));
        if let Some(seen) = &mut watched.seen {
            (seen.unseen, seen.duplicated, seen.wrong) = (7, 2, 1);
        }
        assert!(state.line(at(12.0), &watched).ends_with("1 error, 7 not seen yet, 2 doubled, 1 wrong"));
        let drawn = state.lines(at(12.0), &watched, 79, true);
        assert_eq!(drawn[2].trim_end(), "p99 -, 7 not seen yet, 2 doubled, 1 wrong");
        state.is_stopping = true;
        assert!(state.line(at(12.0), &now).contains("12 s, stopping: "));
        state = State::new(Expected::default(), true);
        assert_eq!(
            state.line(at(1.0), &moment(500, 500, 0, 64)),
            "12 s: 500 sent, 500/s, 64 in flight, p99 -, 0 errors"
        );
    }

    #[test]
    fn what_has_not_begun_what_is_tried_and_what_is_waited_for_is_told() {
        let (state, mut now) = (state(), moment(23_990, 24_000, 1, 0));
        let first = |moment: &Moment| state.lines(at(99.0), moment, 79, true).swap_remove(0);
        // Its time is that of the load, and not of the program.
        now.trial = 3;
        assert_eq!(first(&now), "[#############...................] trial 3, 12 s, 18 s left");
        assert!(state.line(at(99.0), &now).starts_with("trial 3, 12 s, 18 s left: "));
        now.elapsed = at(31.0);
        assert!(first(&now).ends_with("] trial 3, 31 s, ending"));
        now.is_settling = true;
        assert!(first(&now).ends_with("] trial 3, 31 s, waiting for effects"));
        now = Moment::default();
        now.begins_in = at(89.2);
        assert_eq!(first(&now), "begins in 90 s");
        assert!(state.line(at(99.0), &now).starts_with("begins in 90 s: 0 sent, "));
    }

    #[test]
    fn the_sparkline_has_the_last_seconds_from_least_to_most() {
        let bars: VecDeque<Option<u64>> =
            [1_000, 1_000, 2_000, 16_000, 256_000].into_iter().map(Some).collect();
        assert_eq!(sparkline(&bars, 80, true), "▁▁▁▄█");
        assert_eq!(sparkline(&bars, 80, false), "___-#");
        assert_eq!(sparkline(&bars, 2, true), "▁█");
        assert_eq!(sparkline(&VecDeque::from([None, Some(5)]), 80, true), " ▁");
        assert_eq!(sparkline(&VecDeque::new(), 80, true), "");
    }
}
