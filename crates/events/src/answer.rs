//! What the platform asks while a call is on: the answer-URL request, and the digits a caller pressed. Both are
//! answered with a [`Pcmo`](crate::pcmo::Pcmo).

use std::borrow::Cow;

use crate::open::open_object;
use crate::{EpochMillis, LegId, PhoneNumber, Text};

open_object! {
    /// POSTed to the answer URL when a call reaches the account's number, and for an outbound call made with
    /// `answer_url`.
    ///
    /// # Examples
    /// ```
    /// use piopiy_events::{OpenObject, answer::AnswerRequest};
    ///
    /// let request = AnswerRequest::parse(br#"{"action":"inbound","from":"19170000001","time":1670568234000}"#)?;
    /// assert_eq!(request.from.unwrap().digits().as_deref(), Some("19170000001"));
    /// # Ok::<(), piopiy_events::ParseError>(())
    /// ```
    pub struct AnswerRequest {
        /// The direction, `inbound`; what an outbound call has is not documented. Absent in India. Source:
        /// play-file/.
        action: Text = "action",
        /// The calling number: a string in `global-2022` (its table says number), a number in India. Source:
        /// play-file/.
        from: PhoneNumber = "from",
        /// The number called; as `from`. Source: play-file/.
        to: PhoneNumber = "to",
        /// When the call came, in milliseconds since 1970; a number (the table says string). Source:
        /// play-file/.
        time: EpochMillis = "time",
        /// The UUID of leg a. Source: play-file/.
        cmiuuid: LegId = "cmiuuid",
    }
}

open_object! {
    /// POSTed to the `action_url` of an `input` or `play_get_input` action when digits were pressed.
    pub struct DtmfRequest {
        /// The calling number. Source: input.
        from: PhoneNumber = "from",
        /// The number called. Source: input.
        to: PhoneNumber = "to",
        /// The digits pressed, as a string. Source: input.
        dtmf: Text = "dtmf",
        /// The UUID of the leg, under the key that every sample has. Source: input.
        cmuuid: LegId = "cmuuid",
        /// The same under the key that every table has. Source: input.
        cmiuuid: LegId = "cmiuuid",
    }
}

impl DtmfRequest {
    /// The UUID of the leg, under whichever key it came.
    ///
    /// # Examples
    /// ```
    /// use piopiy_events::{OpenObject, answer::DtmfRequest};
    /// let request = DtmfRequest::parse(br#"{"dtmf":"1234","cmuuid":"41aa4bb1-d693-415e-82ce-bdf2e8814aeb"}"#)?;
    /// assert_eq!(request.leg_id().as_deref(), Some("41aa4bb1-d693-415e-82ce-bdf2e8814aeb"));
    /// # Ok::<(), piopiy_events::ParseError>(())
    /// ```
    #[must_use]
    pub fn leg_id(&self) -> Option<Cow<'_, str>> {
        self.cmuuid.as_ref().or(self.cmiuuid.as_ref()).map(LegId::text)
    }
}
