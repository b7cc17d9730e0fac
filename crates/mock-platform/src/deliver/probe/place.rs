use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use rustls::pki_types::ServerName;

use crate::deliver::stream::{Stream, Tls, connect};
use crate::deliver::{Target, Trust};
use crate::judge::check::{Opening, Script};

/// A receiver's addresses, and how connections to it are begun.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) addresses: Vec<SocketAddr>,
    /// `None` where it is spoken to without TLS.
    tls: Option<Handshakes>,
}

/// Each way in which TLS is begun.
#[derive(Debug, Clone)]
struct Handshakes {
    usual: Tls,
    verified: Tls,
    nameless: Tls,
    http2: Tls,
}

impl Place {
    /// Looks the name up once.
    pub(super) async fn find(target: &Target) -> io::Result<Self> {
        let addresses = target.look_up().await?;
        let tls = if target.is_tls() { Some(Handshakes::with(target)?) } else { None };
        Ok(Self { addresses, tls })
    }

    /// Connects as a script wants it.
    pub(super) async fn connect(&self, script: &Script) -> io::Result<Stream> {
        let tls = self.tls.as_ref().and_then(|tls| match script.opening {
            Opening::Usual => Some(&tls.usual),
            Opening::Verified => Some(&tls.verified),
            Opening::Nameless => Some(&tls.nameless),
            Opening::Http2(_) => Some(&tls.http2),
            Opening::Plain { .. } => None,
        });
        let mut addresses = self.addresses.clone();
        if let Some(only) = script.address {
            addresses.retain(|address| address.ip() == only);
        }
        if let Opening::Plain { port: Some(port) } = script.opening {
            addresses.iter_mut().for_each(|address| address.set_port(port));
        }
        connect(&addresses, script.receive_buffer, tls).await
    }
}

impl Handshakes {
    fn with(target: &Target) -> io::Result<Self> {
        let host = target.url().host_str().unwrap_or_default();
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let name = ServerName::try_from(bare.to_owned()).map_err(io::Error::other)?;
        let trust = target.trust();
        let tls = |trust: &Trust, protocol: &str, sends_name: bool| {
            let mut config = trust.config(&[protocol]).map_err(io::Error::other)?;
            config.enable_sni = sends_name;
            io::Result::Ok(Tls { config: Arc::new(config), name: name.clone() })
        };
        Ok(Self {
            usual: tls(trust, "http/1.1", true)?,
            verified: tls(&trust.verifying(), "http/1.1", true)?,
            nameless: tls(trust, "http/1.1", false)?,
            http2: tls(trust, "h2", true)?,
        })
    }
}
