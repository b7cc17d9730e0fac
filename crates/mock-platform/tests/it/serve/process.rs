use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ExitStatus, Stdio};

use serde_json::Value;

use crate::cli::command;

/// A platform that has told that it is ready. It is gone when this is dropped.
pub(super) struct Process {
    child: Child,
    /// What it told.
    pub(super) ready: Value,
}

impl Process {
    /// At free ports, with further options.
    pub(super) fn start(options: &[&str]) -> Self {
        Self::start_with(options, &[])
    }

    /// And with an environment.
    pub(super) fn start_with(options: &[&str], environment: &[(&str, &str)]) -> Self {
        Self::start_at("127.0.0.1:0", options, environment)
    }

    /// And at an address.
    pub(super) fn start_at(listen: &str, options: &[&str], environment: &[(&str, &str)]) -> Self {
        let ports = ["serve", "--listen", listen, "--control", "127.0.0.1:0", "--format", "json"];
        let mut child = command(&[&ports, options].concat())
            .envs(environment.iter().copied())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        if line.is_empty() {
            let mut told = String::new();
            child.stderr.take().unwrap().read_to_string(&mut told).unwrap();
            panic!("it did not start: {told}");
        }
        Self { child, ready: serde_json::from_str(&line).unwrap() }
    }

    /// One of the texts that it told.
    pub(super) fn told(&self, key: &str) -> &str {
        self.ready[key].as_str().unwrap()
    }

    pub(super) fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, signal).unwrap();
    }

    /// Waits for its end; how it ended, and what it said on stderr.
    pub(super) fn ended(mut self) -> (ExitStatus, String) {
        let mut told = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut told).unwrap();
        (self.child.wait().unwrap(), told)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
