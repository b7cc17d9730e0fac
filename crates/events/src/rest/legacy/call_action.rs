use crate::open::open_object;
use crate::{AppId, LegId, Secret, Text};

open_object! {
    /// Controls a call that is on: `v1/call/action`, `v1/call/global_action`. The response is not documented.
    pub struct CallAction {
        /// The account's app id. Source: node hold.js.
        appid: AppId = "appid",
        /// The account's secret. Source: node hold.js.
        secret: Secret = "secret",
        /// `hold`, `unhold`, `holdToggle` or `hangup`. Source: node hold.js.
        action: Text = "action",
        /// The UUID of the leg, under the key that the Node SDK sends. Source: node hold.js.
        cmiuid: LegId = "cmiuid",
        /// The same under the key that the Python SDK sends. Source: py hold.py.
        cmiuuid: LegId = "cmiuuid",
    }
}

impl CallAction {
    /// The UUID of the leg, under whichever key it came.
    #[must_use]
    pub fn leg_id(&self) -> Option<&LegId> {
        self.cmiuuid.as_ref().or(self.cmiuid.as_ref())
    }
}
