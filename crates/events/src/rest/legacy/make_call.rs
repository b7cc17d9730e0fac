use crate::open::open_object;
use crate::pcmo::Pcmo;
use crate::{AppId, Code, Map, Nested, PhoneNumber, RequestId, Seconds, Secret, Text};

open_object! {
    /// Asks for a call: `v2/global_pcmo_make_call` and `v2/ind_pcmo_make_call` with `pcmo`, `v1/make_call` and
    /// `v1/global_make_call` with `answer_url`.
    ///
    /// # Examples
    /// ```
    /// use piopiy_events::pcmo::{Action, Pcmo};
    /// use piopiy_events::{OpenObject, rest::legacy::MakeCall};
    ///
    /// let mut call = MakeCall::default();
    /// call.appid = Some(2222226.into());
    /// call.to = Some(19_170_000_001.into());
    /// call.pcmo = Some(Pcmo::from_iter([Action::hangup()]).into());
    /// assert_eq!(call.to_json(), r#"{"appid":2222226,"to":19170000001,"pcmo":[{"action":"hangup"}]}"#);
    /// ```
    pub struct MakeCall {
        /// The account's app id. Source: outbound-make-call.
        appid: AppId = "appid",
        /// The account's secret. Source: outbound-make-call.
        secret: Secret = "secret",
        /// The account's number. Source: outbound-make-call.
        from: PhoneNumber = "from",
        /// The number to call. Source: outbound-make-call.
        to: PhoneNumber = "to",
        /// Parameters of the user's own, an object (the table says string); webhooks have them as a string.
        /// Source: outbound-make-call.
        extra_params: Map = "extra_params",
        /// The longest talk time, in seconds; the SDKs send 4200 (Node) or 5400 (Python). Source: node
        /// pcmo_call.js.
        duration: Seconds = "duration",
        /// What happens when the call is answered. Source: outbound-make-call.
        pcmo: Nested<Pcmo> = "pcmo",
        /// Where to ask what happens when the call is answered; v1. Source: outbound-call/.
        answer_url: Text = "answer_url",
    }
}

open_object! {
    /// Answers [`MakeCall`]. The `request_id` comes back in the outbound call's webhooks.
    pub struct MakeCallResponse {
        /// The same once more. Source: outbound-make-call.
        data: Nested<CallProgress> = "data",
        /// `progress`; absent in v1 with `answer_url`. Source: outbound-make-call.
        status: Text = "status",
        /// The id of the request; absent in v1 with `answer_url`. Source: outbound-make-call.
        request_id: RequestId = "request_id",
        /// 200, or what went wrong. Source: outbound-make-call.
        code: Code = "code",
        /// The same under the key of the vendor's examples, with 401 for wrong credentials. Source: ex
        /// README.
        cmi_code: Code = "cmi_code",
        /// What went wrong, in words. Source: guess.
        msg: Text = "msg",
    }
}

open_object! {
    /// `data` of a [`MakeCallResponse`].
    pub struct CallProgress {
        /// `progress`. Source: outbound-make-call.
        status: Text = "status",
        /// The id of the request; absent in the vendor's examples. Source: outbound-make-call.
        request_id: RequestId = "request_id",
    }
}

impl MakeCallResponse {
    /// The number of `code` or `cmi_code`.
    ///
    /// # Examples
    /// ```
    /// use piopiy_events::{OpenObject, rest::legacy::MakeCallResponse};
    /// let response = MakeCallResponse::parse(br#"{"data":{"request_id":"x"},"cmi_code":200}"#)?;
    /// assert_eq!(response.number(), Some(200));
    /// assert_eq!(response.id().unwrap().text(), "x");
    /// # Ok::<(), piopiy_events::ParseError>(())
    /// ```
    #[must_use]
    pub fn number(&self) -> Option<i64> {
        self.code.as_ref().or(self.cmi_code.as_ref())?.number()
    }

    /// The id of the request, from the top level or from `data`.
    #[must_use]
    pub fn id(&self) -> Option<RequestId> {
        let nested = || self.data.as_ref()?.get().ok()?.request_id;
        self.request_id.clone().or_else(nested)
    }
}
