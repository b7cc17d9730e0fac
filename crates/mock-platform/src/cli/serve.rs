mod missing;
mod reloading;

use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use piopiy_events::Profile;
use piopiy_mock_platform::deliver::Target;
use piopiy_mock_platform::plan::Seed;
use piopiy_mock_platform::platform::{Config, Exchange, ServeError, ServeOptions, Serving};
use serde_json::json;

use super::exit::{Exit, Failure, OrExit};
use super::session;
use super::signals::Signals;
use super::target::Format;
use super::{ca, config, open_files};

/// How long webhooks may take that are on their way when it is told to stop.
const PATIENCE: Duration = Duration::from_secs(3);

pub(crate) const EXAMPLES: &str = "\
Examples:
  # One app, one number, and an application on port 5000
  piopiy-mock serve --answer-url http://127.0.0.1:5000/answer --webhook-url http://127.0.0.1:5000/webhook/cdr
  # For a test: any free ports, and one line of JSON once it is ready
  piopiy-mock serve --listen 127.0.0.1:0 --control 127.0.0.1:0 --time-scale 20 --format json
  # For an SDK that knows the platform's own https addresses alone
  piopiy-mock serve --tls 127.0.0.1:443

The configuration file is read again when it changes, and on SIGHUP; calls go on.";

/// The whole platform, for an application that makes and takes calls: REST, answer URL, audio, webhooks, console
#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    /// Where the REST APIs are; port 0 for any that is free
    #[arg(long, value_name = "ADDRESS", value_parser = address, default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// Where console and control API are, on this machine only; port 0 for any that is free
    #[arg(long, value_name = "ADDRESS", value_parser = address, default_value = "127.0.0.1:8081")]
    control: SocketAddr,
    /// The REST APIs by TLS too, with certificates of the local authority (see `piopiy-mock ca`)
    #[arg(long, value_name = "ADDRESS", value_parser = address)]
    tls: Option<SocketAddr>,
    /// Where live events and CDRs go, of each number that has no URL of its own in `[platform]`
    #[arg(long, value_name = "URL")]
    webhook_url: Option<String>,
    /// Who says what happens to a call, for each number that has no URL of its own in `[platform]`
    #[arg(long, value_name = "URL")]
    answer_url: Option<String>,
    /// Allow a host that is not this machine, as HOST or HOST:PORT; may be given several times
    #[arg(long, value_name = "HOST")]
    allow_host: Vec<String>,
    /// The revision of the wire: global, global-2022 or india [default: that of `[platform]`, or else global]
    #[arg(long)]
    profile: Option<Profile>,
    /// What is random follows from this, decimal or 0x…; that of `[platform]`, or else fresh
    #[arg(long)]
    seed: Option<Seed>,
    /// Run virtual time N times as fast; audio is always in real time [default: that of `[platform]`, or else 1]
    #[arg(long, value_name = "N", value_parser = above_zero, allow_negative_numbers = true)]
    time_scale: Option<f64>,
    /// Write the ledger to a file: JSON Lines, to be read by others
    #[arg(long, value_name = "FILE")]
    ledger: Option<PathBuf>,
    /// What goes to stdout: text for people, or one line of JSON once it is ready (text then goes to stderr)
    #[arg(long, default_value = "text")]
    format: Format,
}

impl ServeArgs {
    /// What the file says, with what the command line says before it is checked.
    fn config(&self, file: Option<&Path>) -> Result<Config, Failure> {
        // It is not the file that is wrong.
        let mut wrong = None;
        let config = config::platform(file, |config| {
            config.allow_hosts.extend(self.allow_host.iter().cloned());
            config.profile = self.profile.unwrap_or(config.profile);
            config.seed = self.seed.map(|seed| seed.0).or(config.seed);
            config.time_scale = self.time_scale.unwrap_or(config.time_scale);
            for number in &mut config.numbers {
                if number.answer_url.is_none() {
                    number.answer_url.clone_from(&self.answer_url);
                }
                if number.event_url.is_none() && number.cdr_url.is_none() {
                    number.cdr_url.clone_from(&self.webhook_url);
                }
            }
            wrong = self.wrong_url(config);
        });
        wrong.map_or(config, Err)
    }

    /// Why a URL of the command line may not be used.
    fn wrong_url(&self, config: &Config) -> Option<Failure> {
        let given = [("--answer-url", &self.answer_url), ("--webhook-url", &self.webhook_url)];
        given.into_iter().find_map(|(option, url)| {
            let error = config.target(url.as_ref()?).err()?;
            Some(Failure::new(
                Exit::Usage,
                anyhow::Error::from(error).context(format!("{option} cannot be used")),
            ))
        })
    }
}

/// Connections to three ports, and what goes out.
const FILES: u64 = 8_192;

pub(crate) async fn run(args: ServeArgs, given: Option<PathBuf>) -> Result<Exit, Failure> {
    let signals = Signals::listen();
    // Whoever connects without a word would keep webhooks from going out.
    open_files::allow(FILES);
    let file = config::found(given);
    let config = args.config(file.as_deref())?;
    let exchange = Exchange::start(config, args.ledger.clone()).or_exit(Exit::Environment)?;
    let mut options = ServeOptions::default();
    (options.rest, options.control) = (args.listen, args.control);
    if let Some(address) = args.tls {
        options.tls = Some((address, Arc::new(ca::open()?)));
    }
    // From now on, so that no change is missed.
    let reloading = file.as_deref().map(reloading::Watched::new);
    let serving = Serving::start(exchange, &options).await.map_err(|error| {
        let exit = match error {
            ServeError::ControlNotLocal(_) => Exit::Usage,
            _ => Exit::Environment,
        };
        Failure::new(exit, error)
    })?;
    missing::tell(&serving.exchange().config());
    tell_ready(args.format, &serving, file.as_deref())?;
    tokio::select! {
        () = signals.wait() => {}
        () = reloading::keep_current(reloading, |file| args.config(Some(file)), serving.exchange()) => {}
    }
    let summary = serving.stop(PATIENCE).await.or_exit(Exit::Environment)?;
    session::text(args.format, &summary.equation())?;
    Ok(signals.seen().unwrap_or(Exit::Interrupted))
}

/// An address with its port.
fn address(text: &str) -> Result<SocketAddr, &'static str> {
    let known = text.strip_prefix("localhost:").map(|port| format!("127.0.0.1:{port}"));
    known.as_deref().unwrap_or(text).parse().map_err(
        |_| "it is to be an IP address with its port, as in 127.0.0.1:8080; port 0 is any that is free",
    )
}

fn above_zero(text: &str) -> Result<f64, &'static str> {
    let number = text.parse().ok().filter(|number: &f64| number.is_finite() && *number > 0.0);
    number.ok_or("it is to be a number above 0, as in 20 or 0.5")
}

/// Who else may call, where other machines reach the REST APIs and anybody knows the credentials.
fn exposed(serving: &Serving, config: &Config) -> Option<String> {
    let open =
        [Some(serving.rest()), serving.tls()].into_iter().flatten().find(|at| !at.ip().is_loopback())?;
    let (_, secret, token, _) = Config::ZERO;
    let known = config.apps.iter().find(|app| app.secret == secret || app.token.as_deref() == Some(token))?;
    Some(format!(
        "warning      {open} is reached by other machines, and app {} has a secret or a token that everybody knows: give it\n         \x20            others in [[platform.app]], or listen at 127.0.0.1\n",
        known.appid,
    ))
}

/// What whoever started it has to know.
fn tell_ready(format: Format, serving: &Serving, file: Option<&Path>) -> Result<(), Failure> {
    let config = serving.exchange().config();
    let (rest, control) = (format!("http://{}", serving.rest()), format!("http://{}", serving.control()));
    // A configuration that was completed has both.
    let (app, number) = (config.apps.first(), config.numbers.first());
    let tls = serving.tls().map(|tls| format!("https://{tls}"));
    if format == Format::Json {
        let mut line = json!({
            "rest": rest,
            "rest_v3": format!("{rest}/v3"),
            "control": control,
            "console": control,
            "appid": app.map(|app| app.appid),
            "secret": app.map(|app| &app.secret),
            "token": app.and_then(|app| app.token.as_ref()),
            "number": number.map(|number| number.number),
        });
        if let Some(tls) = &tls {
            line["rest_tls"] = tls.as_str().into();
        }
        // Whoever waits for it has to get it.
        writeln!(std::io::stdout().lock(), "{line}")?;
    }
    let shown = |url: Option<&String>, missing: &str| {
        let target = url.and_then(|url| Target::parse(url, &config.allow_hosts).ok());
        target.map_or_else(|| missing.to_owned(), |target| target.shown())
    };
    let mut text = format!(
        "piopiy-mock {}, profile {}, seed {:#x}\n\
         console      {control}\n\
         REST v3      {rest}/v3\n\
         REST legacy  {rest}/v2, {rest}/v1\n\
         control API  {control}/api, described in {control}/api/openapi.json\n",
        env!("CARGO_PKG_VERSION"),
        config.profile,
        serving.exchange().seed().0,
    );
    if let Some(tls) = &tls {
        text.push_str(&format!("by TLS       {tls}; `piopiy-mock ca` prints whom to trust\n"));
    }
    for app in &config.apps {
        let has_known_token = app.token.as_deref().is_none_or(|token| token == Config::ZERO.2);
        let is_known = app.secret == Config::ZERO.1 && has_known_token;
        let secrets = match file {
            Some(file) if !is_known => format!("secret and token as in {}", file.display()),
            _ => format!("secret {}, token {}", app.secret, app.token.as_deref().unwrap_or("none")),
        };
        text.push_str(&format!("app          {}, {secrets}\n", app.appid));
    }
    for number in &config.numbers {
        text.push_str(&format!(
            "number       {}\n  answers    {}\n  webhooks   {}\n",
            number.number,
            shown(number.answer_url.as_ref(), "nobody says what happens: give --answer-url URL"),
            shown(number.cdr_url.as_ref().or(number.event_url.as_ref()), "not sent: give --webhook-url URL"),
        ));
    }
    if let Some(warning) = exposed(serving, &config) {
        text.push_str(&warning);
    }
    text.push_str("Point your SDK at the REST URL; Ctrl-C ends all calls and stops.");
    session::text(format, &text)?;
    Ok(())
}
