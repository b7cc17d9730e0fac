//! What is said of a load: first what it is and how it is done again, then what came of it.

use piopiy_mock_platform::deliver::Target;
use piopiy_mock_platform::load::LoadReport;
use piopiy_mock_platform::plan::Simulator;

use super::{actions, say, sinks};
use crate::cli::check::again::again;
use crate::cli::exit::{Exit, Failure};

/// Shows and writes a report; what it comes to.
pub(super) fn finish(report: &LoadReport, sinks: &sinks::SinkArgs) -> Result<Exit, Failure> {
    // First, for nobody may be reading what is printed.
    let written = sinks.write(report);
    if sinks.has_stdout() {
        say(&report.to_string());
    } else {
        sinks::print(&report.to_string())?;
    }
    for reason in report.thresholds.iter().filter_map(|threshold| threshold.broken.as_ref()) {
        say(&format!("{reason}\n"));
    }
    if let Some(reason) = &report.audit_failed {
        say(&format!("what the receiver did could not be seen to the end: {reason}\n"));
    }
    if let Some(reason) = &report.ledger_failed {
        say(&format!("the load ended early: {reason}\n"));
    }
    // A step that could not say what it found has not passed.
    written?;
    actions::tell(&report.annotations(), &report.markdown(), &report.outputs());
    Ok(match report.judged() {
        ("passed", _) => Exit::Fine,
        ("failed", _) => Exit::Failed,
        // Nothing speaks against the receiver, but that it shows no effects any more.
        (_, Some("ledger")) => Exit::Environment,
        (_, Some("effects_unseen")) if report.audit_failed.is_some() => Exit::Environment,
        _ => Exit::Inconclusive,
    })
}

/// What is run, and the command that does it again, with fresh ids. What one shard was to send is sent again by all of them or by none.
pub(super) fn rerun(simulator: &Simulator, target: &Target) -> String {
    let options = simulator.options();
    let again = match options.shard {
        None => format!(
            "; rerun: {} --seed {}",
            again(&[("--seed", true), ("--nonce", true), ("--start-at", true)]),
            options.seed
        ),
        Some(_) => String::new(),
    };
    format!(
        "piopiy-mock {}, profile {}, to {}, seed {}, nonce {}{again}\n",
        env!("CARGO_PKG_VERSION"),
        options.profile,
        target.shown(),
        options.seed,
        options.nonce,
    )
}
