//! What an app has: its balance, and its SIP endpoints.

use super::{Exchange, lock};

impl Exchange {
    /// Adds a SIP endpoint of an app; or says why not.
    pub(in crate::platform) fn add_sip(&self, appid: u64, name: &str) -> Result<(), String> {
        const MOST: usize = 10_000;
        let mut names = lock(&self.shared().sip);
        let key = (appid, name.to_owned());
        if names.contains(&key) {
            return Err(format!("{name} is there already"));
        }
        if names.len() >= MOST {
            return Err(format!("there are {MOST} SIP endpoints, which is the most: reset the platform"));
        }
        names.insert(key);
        Ok(())
    }

    /// The accounts are as they were at the start: their balances, and no SIP endpoints.
    pub(in crate::platform) fn reset_accounts(&self) {
        let config = self.config();
        for balance in lock(&self.shared().balances).values_mut() {
            *balance = i128::from(config.opening_balance);
        }
        lock(&self.shared().sip).clear();
    }

    /// Takes what a leg cost from the app's balance, and says what is left.
    pub(in crate::platform) fn charge(&self, appid: u64, millionths: u64) -> i128 {
        let mut balances = lock(&self.shared().balances);
        let balance = balances.entry(appid).or_default();
        *balance -= i128::from(millionths);
        *balance
    }
}

#[cfg(test)]
mod tests {
    use crate::platform::config::Config;
    use crate::platform::exchange::Exchange;

    #[tokio::test]
    async fn a_sip_endpoint_that_is_one_too_many_is_not_said_to_be_there() {
        let exchange = Exchange::start(Config::default().completed(), None).unwrap();
        for n in 0..10_000 {
            exchange.add_sip(7, &n.to_string()).unwrap();
        }
        assert_eq!(exchange.add_sip(7, "17"), Err("17 is there already".to_owned()));
        assert!(exchange.add_sip(7, "ann").unwrap_err().contains("which is the most"));
    }
}
