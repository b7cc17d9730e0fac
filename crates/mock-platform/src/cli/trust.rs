use std::path::PathBuf;

use clap::Args;
use piopiy_mock_platform::deliver::Trust;

use super::exit::{Exit, Failure, OrExit};

/// Whose certificates are taken.
#[derive(Debug, Args)]
pub(crate) struct TrustArgs {
    /// Trust the certificates of this PEM file, and no other, where the URL is https://
    #[arg(long, value_name = "FILE", conflicts_with = "insecure")]
    cacert: Option<PathBuf>,
    /// Take any certificate where the URL is https://
    #[arg(long)]
    insecure: bool,
}

impl TrustArgs {
    pub(crate) fn trust(&self) -> Result<Trust, Failure> {
        let Some(path) = &self.cacert else {
            return Ok(if self.insecure { Trust::anyone() } else { Trust::default() });
        };
        let place = path.display();
        let pem = std::fs::read(path)
            .map_err(|error| anyhow::anyhow!("the certificates {place} cannot be read: {error}"))
            .or_exit(Exit::Usage)?;
        let trust = Trust::certificates(&pem).map_err(anyhow::Error::new);
        trust
            .map_err(|error| error.context(format!("the certificates {place} cannot be used")))
            .or_exit(Exit::Usage)
    }
}
