use crate::open::open_object;
use crate::{Map, Text};

open_object! {
    /// Records the call.
    pub struct Record {
        /// `record`. Source: record/.
        action: Text = "action",
        /// v3: `mp3` or `wav`. Source: py SDK_RESTRUCTURE.md.
        format: Text = "format",
        /// v3: `single` or `dual`. Source: py SDK_RESTRUCTURE.md.
        channels: Text = "channels",
    }
}

open_object! {
    /// Ends the call.
    pub struct Hangup {
        /// `hangup`. Source: india/hangup.
        action: Text = "action",
    }
}

open_object! {
    /// Gives the call parameters of the user's own. Legacy: a text that, by inference, comes back as
    /// `extra_params`. v3: members.
    pub struct Param {
        /// `param`. Source: pcmo-overview.
        action: Text = "action",
        /// Legacy: any text, often JSON. Source: pcmo-overview.
        text: Text = "text",
        /// v3: at most 10 members; strings of at most 256 characters. Source: py SDK_RESTRUCTURE.md.
        data: Map = "data",
    }
}

open_object! {
    /// Drops the actions that are left. No page has a sample; the overview's table lists it.
    pub struct Clear {
        /// `clear`. Source: pcmo-overview.
        action: Text = "action",
    }
}
