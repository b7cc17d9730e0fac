use std::sync::PoisonError;

use super::{Exchange, lock};
use crate::deliver::Faults;
use crate::platform::rest::{Gate, RestRules};
use crate::platform::stream::StreamFaults;

impl Exchange {
    /// What goes wrong with webhooks on purpose.
    #[must_use]
    pub fn faults(&self) -> Faults {
        self.shared().faults.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Sets what goes wrong with webhooks from now on.
    pub fn set_faults(&self, faults: Faults) {
        *self.shared().faults.write().unwrap_or_else(PoisonError::into_inner) = faults;
    }

    /// Sets it, and that a reset makes it that again.
    pub(in crate::platform) fn set_usual_faults(&self, faults: Faults) {
        let mut usual = self.shared().usual_faults.write().unwrap_or_else(PoisonError::into_inner);
        *usual = faults.clone();
        drop(usual);
        self.set_faults(faults);
    }

    /// What goes wrong is what it was at the start, or what the configuration has said since.
    pub(in crate::platform) fn reset_faults(&self) {
        let usual = self.shared().usual_faults.read().unwrap_or_else(PoisonError::into_inner).clone();
        self.set_faults(usual);
    }

    /// What goes wrong with audio streams on purpose.
    #[must_use]
    pub fn stream_faults(&self) -> StreamFaults {
        *self.shared().stream_faults.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets what goes wrong with the audio streams that are opened from now on.
    ///
    /// # Errors
    /// Where a fault means nothing: see [`StreamFaults::check`].
    pub fn set_stream_faults(&self, faults: StreamFaults) -> Result<(), String> {
        faults.check()?;
        *self.shared().stream_faults.write().unwrap_or_else(PoisonError::into_inner) = faults;
        Ok(())
    }

    /// What the REST APIs do on purpose; failures as many as are left.
    #[must_use]
    pub fn rest_rules(&self) -> RestRules {
        lock(&self.shared().gate).rules().clone()
    }

    /// Sets what the REST APIs do on purpose.
    ///
    /// # Errors
    /// Where a failure could never happen: see [`RestRules::check`].
    pub fn set_rest_rules(&self, rules: RestRules) -> Result<(), String> {
        rules.check()?;
        *lock(&self.shared().gate) = Gate::new(rules);
        Ok(())
    }
}
