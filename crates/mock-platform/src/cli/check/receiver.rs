use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use piopiy_mock_platform::deliver::Target;
use piopiy_mock_platform::deliver::check_run::CheckOptions;
use piopiy_mock_platform::judge::check::{Malformed, SigningKey};

use crate::cli::duration;
use crate::cli::exit::{Exit, Failure, OrExit};
use crate::cli::trust::TrustArgs;

/// Which receiver, and what it claims to do.
#[derive(Debug, Args)]
#[command(next_help_heading = "Receiver")]
pub(crate) struct ReceiverArgs {
    /// Allow a host that is not this machine, as HOST or HOST:PORT; may be given several times
    #[arg(long, value_name = "HOST")]
    allow_host: Vec<String>,
    /// Connect to this address instead of looking the receiver's name up; may be given several times
    #[arg(long, value_name = "ADDRESS")]
    resolve: Vec<IpAddr>,
    #[command(flatten)]
    trust: TrustArgs,
    /// Send `Authorization: Bearer TOKEN`; with a space in it, such as `Basic dTpw`, it is the whole value
    #[arg(long, env = "PIOPIY_MOCK_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// The first line of a file in place of --token
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Wait this long for the receiver to listen
    #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = duration::parse)]
    wait_for: Duration,
    /// How long an answer may take [default: 5s]
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    ack_limit: Option<Duration>,
    /// What is right for a body that cannot be understood: either, reject or quarantine [default: either]
    #[arg(long, value_name = "POLICY")]
    malformed: Option<Malformed>,
    /// What the receiver has, as NAME or NAME=VALUE, one a line: secret, appid (it takes webhooks of the app 2222224, and
    /// of no other), health=/PATH, reconcile=/PATH (or reconcile=CMD), http2, ping (an empty body is one, and 2xx right), signature=KEY (or signature=env:NAME, signature=file:PATH)
    #[arg(long, value_name = "FILE")]
    capabilities: Option<PathBuf>,
}

impl ReceiverArgs {
    pub(crate) fn target(&self, url: &str) -> Result<Target, Failure> {
        Ok(self.trusted(url)?.resolved_to(&self.resolve))
    }

    /// A URL of the receiver, or beside it.
    pub(crate) fn trusted(&self, url: &str) -> Result<Target, Failure> {
        let target = Target::parse(url, &self.allow_host).or_exit(Exit::Usage)?;
        Ok(target.trusting(self.trust.trust()?))
    }

    pub(crate) fn apply(&self, options: &mut CheckOptions) -> Result<(), Failure> {
        options.malformed = self.malformed.unwrap_or(options.malformed);
        options.ack_limit = self.ack_limit.unwrap_or(options.ack_limit);
        options.wait_for = self.wait_for;
        if let Some(token) = self.token()? {
            let value = if token.contains(' ') { token } else { format!("Bearer {token}") };
            options.headers.push(("Authorization".to_owned(), value));
        }
        options.capabilities.extend(self.capabilities()?);
        let declared = options.capabilities.iter().find(|one| one.starts_with(SIGNATURE)).cloned();
        if let Some(declared) = declared {
            options.signing_key = Some(signing_key(&declared[SIGNATURE.len()..]).or_exit(Exit::Usage)?);
            // The key is in no other place from here on.
            options.capabilities.remove(&declared);
            options.capabilities.insert("signature".to_owned());
        }
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
        declared(&path.display().to_string(), &text).or_exit(Exit::Usage)
    }
}

const SIGNATURE: &str = "signature=";

/// What can be declared, and whether it has a value.
const CAPABILITIES: [(&str, bool); 7] = [
    ("secret", false),
    ("appid", false),
    ("health", true),
    ("reconcile", true),
    ("http2", false),
    ("ping", false),
    ("signature", true),
];

/// The lines of a file of capabilities. What is misspelt would leave out a check without a word.
fn declared(place: &str, text: &str) -> anyhow::Result<BTreeSet<String>> {
    let mut declared = BTreeSet::new();
    for (n, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (name, value) = line.split_once('=').map_or((line, None), |(name, value)| (name, Some(value)));
        match CAPABILITIES.iter().find(|(known, _)| *known == name) {
            Some((_, has_value)) if *has_value == value.is_some_and(|value| !value.is_empty()) => {
                declared.insert(line.to_owned());
            }
            Some((_, true)) => anyhow::bail!("{place}:{}: write it like {name}=VALUE", n + 1),
            Some((_, false)) => anyhow::bail!("{place}:{}: {name} has no value", n + 1),
            None => {
                let known: Vec<&str> = CAPABILITIES.iter().map(|(known, _)| *known).collect();
                let known = known.join(", ");
                anyhow::bail!("{place}:{}: there is no capability {name:?}: those known are {known}", n + 1)
            }
        }
    }
    Ok(declared)
}

/// The key itself, or where it is; what is wrong is told without it.
fn signing_key(text: &str) -> anyhow::Result<SigningKey> {
    let (key, place) = if let Some(name) = text.strip_prefix("env:") {
        let key = std::env::var(name)
            .map_err(|_| anyhow::anyhow!("signature=env:{name}: there is no such variable"))?;
        (key, text)
    } else if let Some(path) = text.strip_prefix("file:") {
        let key = std::fs::read_to_string(path)
            .map_err(|error| anyhow::anyhow!("signature=file:{path}: it cannot be read: {error}"))?;
        (key, text)
    } else {
        (text.to_owned(), "…")
    };
    SigningKey::parse(&key).map_err(|error| anyhow::anyhow!("signature={place}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_capability_that_nobody_knows_is_told() {
        let text = "# what it has\n\n  http2\nhealth=/up\nsignature=env:KEY\n";
        let expected = ["health=/up", "http2", "signature=env:KEY"].map(str::to_owned);
        assert_eq!(declared("file", text).unwrap(), BTreeSet::from(expected));
        let check = |text: &str, expected: &str| {
            let error = declared("file", text).unwrap_err().to_string();
            assert!(error.starts_with(expected), "{error}");
        };
        check(
            "http2\nhtttp2",
            "file:2: there is no capability \"htttp2\": those known are secret, appid, health",
        );
        check("health", "file:1: write it like health=VALUE");
        check("health=", "file:1: write it like health=VALUE");
        check("secret=hush", "file:1: secret has no value");
    }

    #[test]
    fn a_key_is_read_from_where_it_is_and_never_told() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("key");
        std::fs::write(&file, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n").unwrap();
        assert!(signing_key(&format!("file:{}", file.display())).is_ok());
        assert!(signing_key("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").is_ok());
        let check = |text: &str, expected: &str| {
            assert_eq!(signing_key(text).unwrap_err().to_string(), expected);
        };
        check("whsec_hush", "signature=…: a signing key is `whsec_` and the base64 of 24 to 64 bytes");
        check("env:PIOPIY_NO_SUCH_KEY", "signature=env:PIOPIY_NO_SUCH_KEY: there is no such variable");
    }
}
