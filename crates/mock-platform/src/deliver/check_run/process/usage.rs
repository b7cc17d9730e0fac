//! What processes take up, as Linux tells it (proc(5)).

use crate::judge::check::Usage;

/// Of a process and of all that it has started.
#[cfg(target_os = "linux")]
pub(super) fn of(root: u32) -> Option<Usage> {
    let mut usage = Usage::default();
    for pid in family(root) {
        // It may be over by now.
        if let Some(process) = linux::process(pid) {
            usage.processes.insert(pid, process);
        }
    }
    (!usage.processes.is_empty()).then_some(usage)
}

#[cfg(not(target_os = "linux"))]
pub(super) fn of(_root: u32) -> Option<Usage> {
    None
}

/// The process and all that it has started, itself first.
#[cfg(target_os = "linux")]
pub(super) use linux::family;

/// It alone is known.
#[cfg(not(target_os = "linux"))]
pub(super) fn family(root: u32) -> Vec<u32> {
    vec![root]
}

#[cfg(target_os = "linux")]
mod linux {
    use std::collections::BTreeMap;
    use std::fs;

    use crate::judge::check::ProcessUsage;

    /// The process, its children, theirs, and so on.
    pub(in super::super) fn family(root: u32) -> Vec<u32> {
        let mut children: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
        for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
            let pid = entry.file_name().to_str().and_then(|name| name.parse().ok());
            if let Some(pid) = pid
                && let Some(parent) = parent(pid)
            {
                children.entry(parent).or_default().push(pid);
            }
        }
        let mut family = vec![root];
        let mut at = 0;
        while let Some(&pid) = family.get(at) {
            family.extend(children.remove(&pid).unwrap_or_default());
            at += 1;
        }
        family
    }

    pub(super) fn process(pid: u32) -> Option<ProcessUsage> {
        let (resident_bytes, peak_bytes) = memory(pid)?;
        let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).ok()?.count() as u64;
        // The next peak is one since now; where that may not be asked for, it is the one of ever.
        let _ = fs::write(format!("/proc/{pid}/clear_refs"), "5");
        let (_, base_bytes) = memory(pid)?;
        Some(ProcessUsage { resident_bytes, peak_bytes, base_bytes, descriptors })
    }

    /// What is in use, and the most that was, in bytes.
    fn memory(pid: u32) -> Option<(u64, u64)> {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let bytes = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kib| kib << 10)
        };
        Some((bytes("VmRSS:")?, bytes("VmHWM:")?))
    }

    /// The fourth field of `stat`; the second is a name that may have anything in it but ends with the last `)`.
    fn parent(pid: u32) -> Option<u32> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
    }
}
