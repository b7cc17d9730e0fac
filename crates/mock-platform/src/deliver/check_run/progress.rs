use crate::judge::report::{CheckReport, CheckResult};

/// What is said while checks run.
pub trait Progress: Sync {
    /// A check has begun.
    fn begun(&self, check: &str);

    /// All that a check sends is sent; so many of them are over.
    fn over(&self, over: usize, of: usize, check: &str);

    /// The receiver is there, and the run begins: its report, of no checks yet.
    fn started(&self, _report: &CheckReport) {}

    /// What came of a check, as far as that is known before the others are over.
    fn judged(&self, _result: &CheckResult) {}

    /// What random schedules have come to so far, in a few words.
    fn explored(&self, _so_far: &str) {}
}

/// Says nothing.
impl Progress for () {
    fn begun(&self, _check: &str) {}

    fn over(&self, _over: usize, _of: usize, _check: &str) {}
}
