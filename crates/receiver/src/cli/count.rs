use clap::Args;

use super::StoreArg;
use super::exit::Failure;
use super::output::Output;

/// Print how many webhooks a store has
///
/// One number: what a test suite asks for to see what a receiver did.
#[derive(Debug, Args)]
pub(crate) struct Count {
    #[command(flatten)]
    store: StoreArg,
    /// Count what was quarantined, in place of webhooks
    #[arg(long)]
    quarantine: bool,
}

impl Count {
    pub(crate) fn run(&self) -> Result<(), Failure> {
        let records = self.store.open()?;
        let count = if self.quarantine { records.quarantine_count() } else { records.webhook_count() };
        let count = count.map_err(Failure::environment)?;
        let mut output = Output::open(None)?;
        output.write(format!("{count}\n").as_bytes())?;
        output.finish()
    }
}
