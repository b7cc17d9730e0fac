//! The CPU time of a thread, noted as it is spent.

use std::cell::Cell;
use std::rc::Rc;

use crate::load::clock::thread_cpu_ns;
use crate::load::series::Series;

/// What one thread spends on a CPU from the first instant on.
pub(super) struct Cpu {
    began_ns: Cell<Option<u64>>,
    /// Of that, what it waited awake.
    waited_ns: Rc<Cell<u64>>,
    /// Until when it was noted, and how much.
    noted: Cell<(u64, u64)>,
}

impl Cpu {
    pub(super) fn new(waited_ns: Rc<Cell<u64>>) -> Self {
        Self { began_ns: Cell::new(None), waited_ns, noted: Cell::default() }
    }

    /// What it took to be ready is not of the run, and was in another time.
    pub(super) fn begin(&self) {
        self.began_ns.set(thread_cpu_ns());
    }

    pub(super) fn spent_ns(&self) -> Option<u64> {
        self.began_ns.get().zip(thread_cpu_ns()).map(|(began, now)| now.saturating_sub(began))
    }

    pub(super) fn waited_ns(&self) -> u64 {
        self.waited_ns.get()
    }

    /// Notes what was worked until an instant of the run.
    pub(super) fn note(&self, series: &mut Series, at_ns: u64) {
        let (noted_at_ns, noted_ns) = self.noted.get();
        let Some(spent_ns) = self.spent_ns().filter(|_| at_ns > noted_at_ns) else { return };
        // What was waited may be known a moment later than what was spent.
        let worked_ns = spent_ns.saturating_sub(self.waited_ns()).max(noted_ns);
        series.worked(noted_at_ns, at_ns, worked_ns - noted_ns);
        self.noted.set((at_ns, worked_ns));
    }
}
