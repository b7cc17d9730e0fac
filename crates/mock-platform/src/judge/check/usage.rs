use std::collections::BTreeMap;

/// What the receiver and the processes that it has started take up at one time, by process id.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Usage {
    pub(crate) processes: BTreeMap<u32, ProcessUsage>,
}

/// What one process takes up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct ProcessUsage {
    /// Memory that is in use, in bytes (its resident set).
    pub(crate) resident_bytes: u64,
    /// The most that was in use since the last measurement, in bytes; where the system does not start anew, ever.
    pub(crate) peak_bytes: u64,
    /// What the next peak is at least, in bytes: what is in use, where the system starts anew.
    pub(crate) base_bytes: u64,
    /// Open file descriptors.
    pub(crate) descriptors: u64,
}

impl Usage {
    /// Memory in use, of all processes together, in bytes.
    pub(crate) fn resident_bytes(&self) -> u64 {
        self.processes.values().map(|process| process.resident_bytes).sum()
    }

    /// Open file descriptors, of all processes together.
    pub(crate) fn descriptors(&self) -> u64 {
        self.processes.values().map(|process| process.descriptors).sum()
    }

    /// How much more memory was needed at the peak since `before` than was in use then, in bytes; less where the system
    /// has kept an older peak. Processes that have come since do not count: what they begin with is no growth.
    pub(crate) fn peak_growth(&self, before: &Self) -> u64 {
        let growth = |(pid, then): (&u32, &ProcessUsage)| {
            Some(self.processes.get(pid)?.peak_bytes.saturating_sub(then.base_bytes))
        };
        before.processes.iter().filter_map(growth).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usage<const N: usize>(processes: [(u32, u64, u64); N]) -> Usage {
        let process = |(pid, base_bytes, peak_bytes)| {
            (pid, ProcessUsage { resident_bytes: 100, peak_bytes, base_bytes, descriptors: 3 })
        };
        Usage { processes: processes.map(process).into() }
    }

    #[test]
    fn growth_is_that_of_the_same_processes() {
        let before = usage([(1, 100, 150), (2, 300, 300)]);
        let check = |after: Usage, expected| assert_eq!(after.peak_growth(&before), expected);
        check(usage([(1, 100, 140), (2, 300, 310)]), 50);
        // An old peak, and a process that has ended.
        check(usage([(2, 300, 300)]), 0);
        // One that has come.
        check(usage([(1, 100, 100), (2, 300, 300), (3, 900, 900)]), 0);
        assert_eq!((before.resident_bytes(), before.descriptors()), (200, 6));
    }
}
