use clap::Args;
use piopiy_events::Profile;
use piopiy_mock_platform::deliver::check_run::CheckOptions;
use piopiy_mock_platform::deliver::fresh;
use piopiy_mock_platform::plan::{Nonce, Seed};

/// What the stimuli follow from.
#[derive(Debug, Args)]
#[command(next_help_heading = "Stimuli")]
pub(super) struct StimuliArgs {
    /// The revision of the wire: global, global-2022 or india
    #[arg(long, default_value = "global")]
    profile: Profile,
    /// What the stimuli and their order follow from, decimal or 0x…; random if not given
    #[arg(long, env = "PIOPIY_MOCK_SEED")]
    seed: Option<Seed>,
    /// What the ids follow from, with the seed; fresh if not given
    #[arg(long)]
    nonce: Option<Nonce>,
}

impl StimuliArgs {
    pub(super) fn apply(&self, options: &mut CheckOptions) {
        options.profile = self.profile;
        options.seed = self.seed.unwrap_or_else(|| Seed(fresh() >> 32));
        options.nonce = self.nonce.unwrap_or_else(|| Nonce(fresh()));
    }
}
