use crate::open::open_object;
use crate::{
    AppId, ConversationId, Direction, EpochMillis, EpochSeconds, Flag, Leg, LegId, Money, PayloadType,
    PhoneNumber, Rate, RequestId, Seconds, Status, Text,
};

open_object! {
    /// The call detail record of one leg, sent when the call is over.
    ///
    /// All fields are optional, because the documentation marks none as required; what a profile documents is
    /// [`Form`](crate::Form)'s business. Source of the fields: the `inbound-webhooks-*` and `outbound-webhooks-*`
    /// pages under `https://doc.telecmi.com/piopiy/docs/` and `https://doc.telecmi.com/piopiy-india/docs/`.
    pub struct Cdr {
        /// The number that the leg reached: inbound leg a your number, outbound the party dialled. Source:
        /// inbound-webhooks-missed.
        to: PhoneNumber = "to",
        /// The account's app id. Source: inbound-webhooks-missed.
        appid: AppId = "appid",
        /// About when the leg was set up, in milliseconds since 1970: within 3 s of `start_time` in every sample, before the pick-up. Source:
        /// inbound-webhooks-missed.
        time: EpochMillis = "time",
        /// When the leg was set up, in seconds since 1970; global only. Source: inbound-webhooks-missed.
        start_time: EpochSeconds = "start_time",
        /// When the leg ended, in seconds since 1970; global only. Source: inbound-webhooks-missed.
        end_time: EpochSeconds = "end_time",
        /// The calling number: inbound the caller, outbound your number. Source: inbound-webhooks-missed.
        from: PhoneNumber = "from",
        /// Direction of the leg; leg b of an inbound call is outbound. Source: inbound-webhooks-missed.
        direction: Direction = "direction",
        /// Talk time in seconds, 0 when missed. Source: inbound-webhooks-missed.
        duration: Seconds = "duration",
        /// Your own parameters, as a string. Source: inbound-webhooks-missed.
        extra_params: Text = "extra_params",
        /// The UUID of the leg. Source: inbound-webhooks-missed.
        cmiuuid: LegId = "cmiuuid",
        /// What the leg cost; global only. Source: inbound-webhooks-missed.
        call_rate: Rate = "call_rate",
        /// The account's balance afterwards; global only. Source: inbound-webhooks-missed.
        balance: Money = "balance",
        /// What the legs of the conversation share. Source: inbound-webhooks-missed.
        conversation_uuid: ConversationId = "conversation_uuid",
        /// When the leg was picked up, in seconds since 1970; global only. Source:
        /// inbound-webhooks-answered/.
        answer_time: EpochSeconds = "answer_time",
        /// The id that the make-call API returned; outbound. Source: outbound-webhooks-missed.
        request_id: RequestId = "request_id",
        /// The caller id shown; outbound. Source: outbound-webhooks-missed.
        callerid: PhoneNumber = "callerid",
        /// The virtual number presented; outbound, India. Source: india/outbound-webhooks-answered.
        vn: PhoneNumber = "vn",
        /// Marks an outbound call; `global-2022` and India. Source: outbound-webhooks-missed/.
        out: Flag = "out",
        /// Whether the call was started through the API; `global-2022`. Source: outbound-webhooks-missed/.
        api_init: Flag = "api_init",
        /// `answered` or `missed`. Source: inbound-webhooks-missed.
        status: Status = "status",
        /// `a` or `b`. Source: inbound-webhooks-missed.
        leg: Leg = "leg",
        /// `cdr` or `event`; `global-2022` and `india` only. Source: inbound-webhooks-missed/.
        payload_type: PayloadType = "type",
    }
}
