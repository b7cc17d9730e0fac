use crate::open::open_object;
use crate::{Map, PhoneNumber, Text};

open_object! {
    /// Who is called: a telephone number, a SIP user or address, or an agent.
    pub struct Endpoint {
        /// `pstn`, `sip` or `agent`. Source: forward-call.
        endpoint_type: Text = "type",
        /// `pstn`: the number; a number in the legacy generation, a string in v3. Source: forward-call.
        number: PhoneNumber = "number",
        /// `sip`, legacy: the name of the SIP endpoint; the Node SDK sends a number. Source: connect-call.
        user: Text = "user",
        /// `sip`, v3: the SIP address. Source: py SDK_RESTRUCTURE.md.
        uri: Text = "uri",
        /// `agent`, v3: the agent's UUID. Source: py SDK_RESTRUCTURE.md.
        id: Text = "id",
        /// v3: SIP headers to send along. Source: py SDK_RESTRUCTURE.md.
        headers: Map = "headers",
    }
}

impl Endpoint {
    fn of(endpoint_type: &str) -> Self {
        Self { endpoint_type: Some(endpoint_type.into()), ..Self::default() }
    }

    /// A telephone number, as a JSON number.
    #[must_use]
    pub fn pstn(number: i64) -> Self {
        Self { number: Some(number.into()), ..Self::of("pstn") }
    }

    /// A telephone number as v3 has it, a string.
    #[must_use]
    pub fn pstn_text(number: &str) -> Self {
        Self { number: Some(PhoneNumber::quoted(number)), ..Self::of("pstn") }
    }

    /// A SIP endpoint of the account, by name; legacy.
    #[must_use]
    pub fn sip_user(user: &str) -> Self {
        Self { user: Some(user.into()), ..Self::of("sip") }
    }

    /// A SIP address; v3.
    #[must_use]
    pub fn sip_uri(uri: &str) -> Self {
        Self { uri: Some(uri.into()), ..Self::of("sip") }
    }

    /// An agent, by UUID; v3.
    #[must_use]
    pub fn agent(id: &str) -> Self {
        Self { id: Some(id.into()), ..Self::of("agent") }
    }
}
