use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use piopiy_mock_platform::deliver::Target;
use piopiy_mock_platform::deliver::check_run::CheckOptions;
use piopiy_mock_platform::judge::check::Malformed;

use crate::cli::duration;
use crate::cli::exit::{Exit, Failure, OrExit};

/// Which receiver, and what it claims to do.
#[derive(Debug, Args)]
#[command(next_help_heading = "Receiver")]
pub(super) struct ReceiverArgs {
    /// The URL of the receiver
    #[arg(help_heading = None::<&str>)]
    url: String,
    /// Allow a host that is not this machine, as HOST or HOST:PORT; may be given several times
    #[arg(long, value_name = "HOST")]
    pub(super) allow_host: Vec<String>,
    /// Send `Authorization: Bearer TOKEN`; with a space in it, such as `Basic dTpw`, it is the whole value
    #[arg(long, env = "PIOPIY_MOCK_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// The first line of a file in place of --token
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Wait this long for the receiver to listen
    #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = duration::parse)]
    wait_for: Duration,
    /// How long an answer may take
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = duration::parse)]
    ack_limit: Duration,
    /// What is right for a body that cannot be understood: either, reject or quarantine
    #[arg(long, value_name = "POLICY", default_value = "either")]
    malformed: Malformed,
    /// What the receiver has, as NAME or NAME=VALUE, one a line: secret, appid, health=/PATH
    #[arg(long, value_name = "FILE")]
    capabilities: Option<PathBuf>,
}

impl ReceiverArgs {
    pub(super) fn target(&self) -> Result<Target, Failure> {
        Target::parse(&self.url, &self.allow_host).or_exit(Exit::Usage)
    }

    pub(super) fn apply(&self, options: &mut CheckOptions) -> Result<(), Failure> {
        options.malformed = self.malformed;
        options.ack_limit = self.ack_limit;
        options.wait_for = self.wait_for;
        if let Some(token) = self.token()? {
            let value = if token.contains(' ') { token } else { format!("Bearer {token}") };
            options.headers.push(("Authorization".to_owned(), value));
        }
        options.capabilities = self.capabilities()?;
        Ok(())
    }

    fn token(&self) -> Result<Option<String>, Failure> {
        let Some(path) = &self.token_file else { return Ok(self.token.clone()) };
        let place = path.display();
        let text = std::fs::read_to_string(path)
            .map_err(|error| anyhow::anyhow!("the token file {place} cannot be read: {error}"))
            .or_exit(Exit::Usage)?;
        let token = text.lines().next().unwrap_or_default().trim();
        if token.is_empty() {
            return Err(Failure::new(Exit::Usage, anyhow::anyhow!("{place}:1: there is no token")));
        }
        Ok(Some(token.to_owned()))
    }

    fn capabilities(&self) -> Result<BTreeSet<String>, Failure> {
        let Some(path) = &self.capabilities else { return Ok(BTreeSet::new()) };
        let text = std::fs::read_to_string(path)
            .map_err(|error| anyhow::anyhow!("the capabilities {} cannot be read: {error}", path.display()))
            .or_exit(Exit::Usage)?;
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        Ok(lines.map(str::to_owned).collect())
    }
}
