//! The machine that measures, in one line.

use std::fs;

use crate::workspace;

/// Processor, cores, memory, kernel, file system of the temporary folder, compiler.
pub(super) fn describe() -> String {
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpuinfo.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let meminfo = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kib = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:")?.trim().strip_suffix(" kB"));
    let gib =
        kib.and_then(|kib| kib.trim().parse::<u64>().ok()).map(|kib| format!("{} GiB", kib / 1024 / 1024));
    let cores = cpuinfo.lines().filter(|line| line.starts_with("processor")).count();
    let facts = [
        model.map_or_else(|| "unknown processor".to_owned(), |(_, model)| model.to_owned()),
        format!("{cores} cores"),
        gib.unwrap_or_else(|| "unknown memory".to_owned()),
        said("uname", &["-sr"]),
        format!("{} under the temporary folder", file_system()),
        said("rustc", &["--version"]),
    ];
    facts.join(", ")
}

fn said(program: &str, arguments: &[&str]) -> String {
    let output = workspace::command(program).args(arguments).output();
    let said =
        output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default();
    if said.is_empty() { format!("{program} unknown") } else { said }
}

fn file_system() -> String {
    let folder = std::env::temp_dir();
    let table = said("df", &["--output=fstype", &folder.to_string_lossy()]);
    table.lines().last().unwrap_or("unknown file system").to_owned()
}
