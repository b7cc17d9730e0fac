use std::io::{IsTerminal, Write};

use piopiy_mock_platform::deliver::check_run::Progress;

/// A line that is written over, where somebody looks.
pub(super) struct Line {
    is_watched: bool,
}

impl Line {
    pub(super) fn new() -> Self {
        Self { is_watched: std::io::stderr().is_terminal() && std::env::var_os("CI").is_none() }
    }
}

impl Progress for Line {
    fn done(&self, over: usize, of: usize, check: &str) {
        if self.is_watched {
            const WIDTH: usize = 30;
            let bar: String = (0..WIDTH).map(|at| if at * of < over * WIDTH { '#' } else { '.' }).collect();
            let _ = write!(std::io::stderr().lock(), "\r\x1b[2K[{bar}] {over}/{of} {check}\r");
        }
    }
}
