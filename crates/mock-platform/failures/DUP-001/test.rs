//! DUP-001 the same bytes twice, one after the other: fails until the receiver is put right.
//!
//! Put this file and `case.json` side by side below `tests/`. `Cargo.toml`:
//! ```toml
//! [dev-dependencies]
//! piopiy-mock-platform = "0.1.0"
//! tokio = { version = "1", features = ["macros", "rt-multi-thread"] }
//! ```
//! `RECEIVER_URL` and `OBSERVE_URL` say where the receiver is, if it is not where it was.

use piopiy_mock_platform::deliver::Target;
use piopiy_mock_platform::deliver::check_run::{CheckOptions, Observation, replay_case};
use piopiy_mock_platform::judge::check::{CaseFile, Verdict};

#[tokio::test(flavor = "multi_thread")]
async fn dup_001_the_same_bytes_twice_one_after_the_other() -> Result<(), Box<dyn std::error::Error>> {
    let url = std::env::var("RECEIVER_URL").unwrap_or_else(|_| "http://127.0.0.1:33609/webhook/cdr".to_owned());
    let observe = std::env::var("OBSERVE_URL").unwrap_or_else(|_| "".to_owned());
    let file = CaseFile::parse("case.json", include_str!("case.json"))?;
    let mut options = CheckOptions::of(&file);
    if !observe.is_empty() {
        options.observation = Some(Observation::Url(Target::parse(&observe, &[])?));
    }
    let report = replay_case(&Target::parse(&url, &[])?, &file, &options, &(), std::future::pending()).await?;
    let outcome = &report.checks[0].outcome;
    assert_eq!(outcome.verdict, Verdict::Pass, "{}", outcome.detail);
    Ok(())
}
