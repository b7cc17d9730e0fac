use std::path::Path;
use std::time::Duration;

use piopiy_mock_platform::deliver::{EffectsFile, Target, effects_from_url, last_effect_at_url};
use piopiy_mock_platform::judge::Effect;
use tokio::time::{Instant, sleep};

use super::exit::{Exit, Failure, OrExit};
use super::signals::Signals;
use super::target::OutputArgs;

/// A receiver that changes without an end is looked at for this many times the settling time: somebody else uses it too.
const MOST_SETTLES: u32 = 60;

/// Where the receiver's effects are read; each is read once.
#[derive(Debug)]
pub(crate) struct Effects {
    source: Source,
    /// The last effect that was read.
    last: u64,
}

#[derive(Debug)]
enum Source {
    Url(Target),
    File(EffectsFile),
}

impl Effects {
    pub(crate) fn new(output: &OutputArgs, allowed: &[String]) -> Result<Option<Self>, Failure> {
        let source = match (&output.observe_url, &output.observe_file) {
            (Some(url), _) => Source::Url(Target::parse(url, allowed).or_exit(Exit::Usage)?),
            (None, Some(path)) => Source::File(EffectsFile::new(path)),
            (None, None) => return Ok(None),
        };
        Ok(Some(Self { source, last: 0 }))
    }

    /// Passes over what was there before.
    pub(crate) async fn pass_over(&mut self) -> Result<(), Failure> {
        if let Source::Url(url) = &self.source {
            self.last = last_effect_at_url(url, 0).await.or_exit(Exit::Environment)?;
            return Ok(());
        }
        self.more().await.map(drop)
    }

    /// The effects that are new.
    async fn more(&mut self) -> Result<Vec<Effect>, Failure> {
        let more = match &mut self.source {
            Source::Url(url) => effects_from_url(url, self.last).await.or_exit(Exit::Environment)?,
            // A file that nobody has written to yet shows no effects.
            Source::File(file) if !Path::new(file.path()).exists() => Vec::new(),
            Source::File(file) => file.more().or_exit(Exit::Environment)?,
        };
        self.last = more.last().map_or(self.last, |effect| effect.seq);
        Ok(more)
    }

    /// The effects that are new, once nothing has changed for a while, or a signal comes.
    pub(crate) async fn settled(
        &mut self,
        settle: Duration,
        signals: &Signals,
    ) -> Result<Vec<Effect>, Failure> {
        let mut seen = self.more().await?;
        let begun = Instant::now();
        let mut changed = begun;
        while changed.elapsed() < settle && signals.seen().is_none() {
            if begun.elapsed() > settle.saturating_mul(MOST_SETTLES) {
                let line = format!(
                    "the receiver has not settled within {:?}: it is judged by what it has done so far\n",
                    begun.elapsed()
                );
                // Nobody may be reading.
                let _ = std::io::Write::write_all(&mut std::io::stderr().lock(), line.as_bytes());
                break;
            }
            let more = async {
                sleep(Duration::from_millis(50).min(settle)).await;
                self.more().await
            };
            let more = tokio::select! {
                more = more => more?,
                () = signals.wait() => break,
            };
            if !more.is_empty() {
                seen.extend(more);
                changed = Instant::now();
            }
        }
        Ok(seen)
    }
}
