use crate::open::open_object;
use crate::{
    AppId, ConversationId, Direction, EpochMillis, Leg, LegId, PayloadType, PhoneNumber, RequestId, Status,
    Text, WsStatus,
};

open_object! {
    /// Something that happened on a leg while its call is on.
    ///
    /// All fields are optional, because the documentation marks none as required; what a profile documents is
    /// [`Form`](crate::Form)'s business. Source of the fields: the `live-*` pages under
    /// `https://doc.telecmi.com/piopiy/docs/` and `https://doc.telecmi.com/piopiy-india/docs/`.
    pub struct LiveEvent {
        /// `cdr` or `event`; `global-2022` and `india` only. Source: live-in-hangup/.
        payload_type: PayloadType = "type",
        /// The account's app id. Source: live-in-answered.
        appid: AppId = "appid",
        /// The same under the name that CHUB events use. Source: chub/live-incoming-hangup.
        app_id: AppId = "app_id",
        /// What the legs of the conversation share; absent from stream events. Source: live-in-answered.
        conversation_uuid: ConversationId = "conversation_uuid",
        /// Direction of the leg. Source: live-in-answered.
        direction: Direction = "direction",
        /// The calling number: inbound the caller, outbound your number. Source: live-in-answered.
        from: PhoneNumber = "from",
        /// The number that the leg reaches; absent from stream events. Source: live-in-answered.
        to: PhoneNumber = "to",
        /// `a` or `b`. Source: live-in-answered.
        leg: Leg = "leg",
        /// The name of the event, in the spelling of the profile. Source: live-in-answered.
        status: Status = "status",
        /// When it happened, in milliseconds since 1970. Source: live-in-answered.
        time: EpochMillis = "time",
        /// The UUID of the leg. Source: live-in-answered.
        cmiuuid: LegId = "cmiuuid",
        /// Your own parameters, as a string. Source: live-in-answered.
        extra_params: Text = "extra_params",
        /// The id that the make-call API returned; outbound, global. Source: live-out-started.
        request_id: RequestId = "request_id",
        /// The caller id shown; outbound. Source: live-out-started.
        callerid: PhoneNumber = "callerid",
        /// The virtual number presented; outbound. Source: live-out-started.
        vn: PhoneNumber = "vn",
        /// About the stream's WebSocket, a JSON document in a string; stream events. Source:
        /// live-stream-connected.
        ws_status: WsStatus = "ws_status",
    }
}
