//! The page of `serve`: where it is, and who may see it.

use std::net::ToSocketAddrs as _;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use piopiy_receiver::{Page, Records, StoreLocation, Token, listen};
use tokio::net::TcpListener;

use super::exit::Failure;
use super::secret;

/// Where people can look.
#[derive(Debug, Args)]
pub(super) struct PageArgs {
    /// Show calls, webhooks, the quarantine and forwarding on a page at this address, such as 127.0.0.1:5001, which is not that
    /// of the webhooks; beyond this machine it needs a token
    #[arg(long, value_name = "ADDRESS", env = "PIOPIY_RECEIVER_PAGE", help_heading = "Page")]
    page: Option<String>,
    /// Ask for this token on the page, as the password of any user
    #[arg(
        long,
        value_name = "TOKEN",
        env = "PIOPIY_RECEIVER_PAGE_TOKEN",
        hide_env_values = true,
        help_heading = "Page"
    )]
    page_token: Option<String>,
    /// Ask for the token in this file on the page
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with = "page_token",
        requires = "page",
        help_heading = "Page"
    )]
    page_token_file: Option<PathBuf>,
}

impl PageArgs {
    pub(super) fn is_wanted(&self) -> bool {
        self.page.is_some()
    }

    /// Whether there may be such a page, as far as is known without the port.
    pub(super) fn check(&self) -> Result<(), Failure> {
        let token = self.token()?;
        let Some(address) = &self.page else { return Ok(()) };
        let mut places = address.to_socket_addrs().map_err(|error| cannot_listen(address, error))?;
        if token.is_none() && places.any(|place| !place.ip().is_loopback()) {
            return Err(Failure::usage(format!(
                "--page {address}: other machines reach it, and it shows phone numbers: give --page-token-file FILE, or an \
                 address of this machine alone"
            )));
        }
        Ok(())
    }

    /// Listens where the page is to be; before the store is opened, as for webhooks.
    pub(super) async fn listen(&self) -> Result<Option<TcpListener>, Failure> {
        let Some(address) = &self.page else { return Ok(None) };
        listen(address).await.map(Some).map_err(|error| cannot_listen(address, error))
    }

    /// With a reader of its own, where the store has one for others.
    pub(super) fn reading(&self, listener: TcpListener, store: &StoreLocation) -> Result<Page, Failure> {
        let records = store.open_to_read().map_err(Failure::environment)?;
        self.showing(listener, records)
    }

    /// Of these records; of what the server reads by, where there are none.
    pub(super) fn showing(
        &self,
        listener: TcpListener,
        records: Option<Arc<dyn Records>>,
    ) -> Result<Page, Failure> {
        let mut page = Page::on(listener);
        if let Some(token) = self.token()? {
            page = page.token(token);
        }
        Ok(match records {
            Some(records) => page.records(records),
            None => page,
        })
    }

    fn token(&self) -> Result<Option<Token>, Failure> {
        let (text, place) = match (&self.page_token_file, &self.page_token) {
            (Some(file), _) => (secret::read(file)?, format!("--page-token-file {}", file.display())),
            (None, Some(token)) => (token.clone(), "--page-token".to_owned()),
            (None, None) => return Ok(None),
        };
        text.parse().map(Some).map_err(|error| Failure::usage(format!("{place}: {error}")))
    }
}

fn cannot_listen(address: &str, error: std::io::Error) -> Failure {
    match error.kind() {
        std::io::ErrorKind::InvalidInput => Failure::usage(format!("--page {address}: {error}")),
        _ => Failure::Environment(anyhow::Error::new(error).context(format!(
            "cannot listen on {address}: choose another --page, or stop what uses the port"
        ))),
    }
}
