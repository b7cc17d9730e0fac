//! A receiver, and how much it was given.

use piopiy_events::Profile as Wire;

use super::clients::Clients;
use super::contender::{Contender, Programs, Started};
use crate::traffic;

/// So many webhooks are generated at once.
const CHUNK: usize = 100_000;

/// A receiver that has stored so many webhooks.
#[derive(Debug)]
pub(super) struct Filled {
    pub(super) started: Started,
    pub(super) stored: usize,
}

impl Filled {
    /// A fresh one.
    ///
    /// # Errors
    /// Where it does not come up, or does not acknowledge a webhook.
    pub(super) async fn with(
        programs: &Programs,
        contender: Contender,
        webhooks: usize,
    ) -> anyhow::Result<Self> {
        let mut filled = Self { started: programs.start(contender).await?, stored: 0 };
        filled.fill(webhooks).await?;
        Ok(filled)
    }

    /// Posts until it has so many.
    ///
    /// # Errors
    /// Where it does not acknowledge a webhook.
    pub(super) async fn fill(&mut self, webhooks: usize) -> anyhow::Result<()> {
        let mut bodies = traffic::bodies(Wire::Global, traffic::fresh_nonce());
        let mut clients = Clients::connect(self.started.process.address()).await?;
        while self.stored < webhooks {
            let chunk: Vec<_> = bodies.by_ref().take(CHUNK.min(webhooks - self.stored)).collect();
            clients.post(&chunk).await?;
            self.stored += chunk.len();
        }
        Ok(())
    }

    /// Stops it, and holds it to what it acknowledged.
    ///
    /// # Errors
    /// Where it has stored something else.
    pub(super) async fn stop(self, programs: &Programs) -> anyhow::Result<()> {
        programs.stop(self.started, self.stored).await
    }
}
