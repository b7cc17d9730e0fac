//! The matrix as a page for people.

use std::fmt::Write as _;

use piopiy_gallery::{CORRECT, Flaw, flaws};
use piopiy_mock_platform::judge::check::{Group, all};

use super::matrix::{Matrix, Row};

/// Where it lies.
pub(super) const PATH: &str = "docs/gallery.md";

/// How many names are told before it is only their number.
const TOLD: usize = 8;

const HEAD: &str = "\
# The gallery: what each check finds

Written by `cargo xtask gallery`; do not edit. How a check and its flaw are made is in [writing-a-check.md](writing-a-check.md).

A suite that says *pass* proves nothing until it was seen to say *fail*. So `fixtures/receivers/gallery` is one small receiver
with a table of defects, each as a programmer would make it, and each is run against every check. Every flaw has to be killed
by a check of its own group, every check has to kill a flaw, and the receivers without a flaw must not be found fault with.

`cargo run -p piopiy-gallery -- --flaw NAME` serves one, to look at or to try a suite of your own on. Limits are shortened: an
answer may take a second, a connection may get nowhere for 300 ms. What waits for minutes is run only against the flaws that it
has to kill; what measures or loads, against those, the flaws of LAT and CON, and the correct receivers (`--measure-all`: against
every one). A check that needs a process to kill, a second instance or a hook is run where the receiver has that.
";

pub(super) fn text(matrix: &Matrix) -> String {
    let mut text = HEAD.to_owned();
    let _ = writeln!(
        text,
        "\n{} flaws, {} checks.\n\n## Without a flaw\n\n| receiver | findings |\n|---|---|",
        flaws().count(),
        matrix.checks.len()
    );
    for name in CORRECT {
        let found = match matrix.row(name) {
            Some(row) if row.found().next().is_none() => "none".to_owned(),
            Some(row) => listed(row.found().map(String::as_str)),
            None => "not run".to_owned(),
        };
        let _ = writeln!(text, "| `{name}` | {found} |");
    }
    text.push_str(
        "\n## By flaw\n\n*Finds it* are the checks that have to; *finds it too* what else fails or warns.\n",
    );
    for group in Group::ALL {
        let _ = writeln!(
            text,
            "\n### {group}: {}\n\n| flaw | what it does | finds it | finds it too |\n|---|---|---|---|",
            group.title()
        );
        for flaw in flaws().filter(|flaw| flaw.group == group.as_str()) {
            let besides = matrix.row(flaw.name).map_or_else(String::new, |row| besides(&flaw, row));
            let _ = writeln!(
                text,
                "| `{}` | {} | {} | {besides} |",
                flaw.name,
                flaw.defect.replace('|', "\\|"),
                flaw.kills.join(", ")
            );
        }
    }
    text.push_str(
        "\n## By check\n\n| check | severity | what is sent | kills | and finds |\n|---|---|---|---|---|\n",
    );
    for check in all() {
        let killed: Vec<&str> =
            flaws().filter(|flaw| flaw.kills.contains(&check.id)).map(|flaw| flaw.name).collect();
        let too =
            matrix.rows.iter().filter(|row| row.told().any(|id| id == check.id)).map(|row| row.name.as_str());
        let too = too.filter(|name| !killed.contains(name)).count();
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} |",
            check.id,
            check.severity,
            check.title.replace('|', "\\|"),
            listed(killed.iter().copied()),
            if too == 0 { String::new() } else { format!("{too} more") }
        );
    }
    text
}

/// What finds a flaw and need not.
fn besides(flaw: &Flaw, row: &Row) -> String {
    listed(row.told().map(String::as_str).filter(|id| !flaw.kills.contains(id)))
}

fn listed<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let mut names: Vec<&str> = names.collect();
    names.sort_unstable();
    let more = names.len().saturating_sub(TOLD);
    let told = names[..names.len() - more].join(", ");
    if more == 0 { told } else { format!("{told} and {more} more") }
}
