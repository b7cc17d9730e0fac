use piopiy_mock_platform::deliver::ledger::RunEntry;
use piopiy_mock_platform::deliver::without_secrets;

/// What a rerun fixes; given on the command line or not.
const FIXED: [&str; 3] = ["--seed", "--nonce", "--epoch"];

/// The command that does this run again, ids included. Leave `--nonce` out for fresh ids.
pub(crate) fn command(run: &RunEntry) -> String {
    // A file's name need not be UTF-8: then the line shows what can be shown.
    rewrite(std::env::args_os().skip(1).map(|arg| arg.to_string_lossy().into_owned()), run)
}

fn rewrite(args: impl Iterator<Item = String>, run: &RunEntry) -> String {
    let mut words = vec!["piopiy-mock".to_owned()];
    let mut args = args.peekable();
    let is_replay = args.peek().is_some_and(|command| command == "replay");
    let mut keeps_ids = false;
    while let Some(arg) = args.next() {
        keeps_ids |= arg == "--exact-ids";
        if FIXED.contains(&arg.as_str()) {
            args.next();
        } else if !FIXED.iter().any(|fixed| arg.strip_prefix(fixed).is_some_and(|rest| rest.starts_with('=')))
        {
            words.push(quoted(&without_secrets(&arg)));
        }
    }
    if is_replay && keeps_ids {
        // Nothing is drawn.
    } else if is_replay {
        words.push(format!("--nonce {:#x}", run.nonce));
    } else {
        words.push(format!("--seed {:#x} --nonce {:#x} --epoch {}", run.seed, run.nonce, run.epoch_ms));
    }
    words.join(" ")
}

/// As a shell reads it.
pub(crate) fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@%+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use piopiy_mock_platform::deliver::DeliveryOptions;
    use piopiy_mock_platform::plan::{Nonce, PlanOptions, Seed};

    fn check(args: &[&str], expected: &str) {
        let mut plan = PlanOptions::default();
        (plan.seed, plan.nonce, plan.epoch_ms) = (Seed(7), Nonce(9), 1_000);
        let run = RunEntry::new("default", &plan, None, &DeliveryOptions::default());
        assert_eq!(rewrite(args.iter().map(|&arg| arg.to_owned()), &run), expected);
    }

    #[test]
    fn what_was_random_is_fixed() {
        check(
            &["run", "--to", "http://127.0.0.1:1/a?b=c&d", "--calls", "3"],
            "piopiy-mock run --to 'http://127.0.0.1:1/a?b=c&d' --calls 3 --seed 0x7 --nonce 0x9 --epoch 1000",
        );
        check(
            &["run", "--seed=1", "--nonce", "2", "--to", "x", "--epoch", "3"],
            "piopiy-mock run --to x --seed 0x7 --nonce 0x9 --epoch 1000",
        );
        check(&["replay", "it's.jsonl"], r"piopiy-mock replay 'it'\''s.jsonl' --nonce 0x9");
    }
}
