//! Where the platform may send something: what the configuration allows, and never to itself.

use std::net::SocketAddr;
use std::sync::{Arc, PoisonError};

use super::Exchange;
use crate::deliver::{Target, TargetError, Targets};
use crate::platform::config::{Config, ConfigError};

impl Exchange {
    /// A URL that may be asked, as `config` has it.
    ///
    /// # Errors
    /// As [`Config::target`], and where the platform itself listens there: whoever writes call flows would act on it.
    pub(in crate::platform) fn target(&self, config: &Config, url: &str) -> Result<Target, TargetError> {
        config.target(url)?.apart_from(&self.listens())
    }

    /// A `ws` or `wss` URL that audio may be streamed to.
    ///
    /// # Errors
    /// As [`Exchange::target`].
    pub(in crate::platform) fn stream_target(
        &self,
        config: &Config,
        url: &str,
    ) -> Result<Target, TargetError> {
        config.stream_target(url)?.apart_from(&self.listens())
    }

    /// From now on it listens there, too.
    ///
    /// # Errors
    /// If the configuration has a URL that leads there.
    pub(in crate::platform) fn listens_at(&self, addresses: &[SocketAddr]) -> Result<(), ConfigError> {
        self.shared().listens.write().unwrap_or_else(PoisonError::into_inner).extend(addresses);
        self.config().check_urls(&self.listens())
    }

    /// Where it listens.
    pub(super) fn listens(&self) -> Vec<SocketAddr> {
        self.shared().listens.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Where an app's webhooks of a number go; none where no URL is known, or the number is of another app.
    pub(in crate::platform) fn targets(&self, appid: u64, number: u64) -> Option<Arc<Targets>> {
        let config = self.config();
        let number = config.number_of(appid, number)?;
        let live = number.event_url.as_ref().or(number.cdr_url.as_ref())?;
        let cdr = number.cdr_url.as_ref().or(number.event_url.as_ref())?;
        // They were checked when the configuration was.
        let target = |url: &String| -> Option<Target> { self.target(&config, url).ok() };
        Some(Arc::new(Targets { live: target(live)?, cdr: target(cdr)? }))
    }
}
