use crate::open::open_object;
use crate::{
    AppId, Code, Count, Direction, EpochMillis, Leg, LegId, Money, OneOrMany, PhoneNumber, Rate, RequestId,
    Seconds, Secret, Status, Text,
};

open_object! {
    /// Asks for the record of a leg: `v1/piopiy/cmiuuid_cdr`.
    pub struct CmiuuidCdr {
        /// The account's app id. Source: get-cmiuuid.
        appid: AppId = "appid",
        /// The account's secret. Source: get-cmiuuid.
        secret: Secret = "secret",
        /// The UUID of the leg. Source: get-cmiuuid.
        cmiuuid: LegId = "cmiuuid",
    }
}

open_object! {
    /// Asks for the records of the legs that a request made: `v1/piopiy/requestid_cdr`.
    pub struct RequestIdCdr {
        /// The account's app id. Source: india/get-request-id.
        appid: AppId = "appid",
        /// The account's secret. Source: india/get-request-id.
        secret: Secret = "secret",
        /// The id that the make-call request returned. Source: india/get-request-id.
        request_id: RequestId = "request_id",
    }
}

open_object! {
    /// Answers [`CmiuuidCdr`] with one record and [`RequestIdCdr`] with an array.
    pub struct CdrResponse {
        /// How many records there are; by request only. Source: india/get-request-id.
        count: Count = "count",
        /// One record, or several. Source: get-cmiuuid.
        cdr: OneOrMany<CdrSummary> = "cdr",
        /// 200, or 404 for wrong credentials, a missing parameter or an unknown id. Source: get-cmiuuid.
        code: Code = "code",
        /// What went wrong, in words. Source: guess.
        msg: Text = "msg",
    }
}

open_object! {
    /// A record as it is looked up: less than a [`Cdr`](crate::Cdr), under other names.
    pub struct CdrSummary {
        /// Talk time in seconds. Source: get-cmiuuid.
        duration: Seconds = "duration",
        /// The account's balance afterwards: a string in global (its table says number), a number in India.
        /// Source: get-cmiuuid.
        balance: Money = "balance",
        /// What the leg cost; as `balance`. Source: get-cmiuuid.
        rate: Rate = "rate",
        /// The calling number. Source: get-cmiuuid.
        from: PhoneNumber = "from",
        /// The number called. Source: get-cmiuuid.
        to: PhoneNumber = "to",
        /// About when the leg was set up, as `time` of a CDR, in milliseconds since 1970. Source: get-cmiuuid.
        time: EpochMillis = "time",
        /// `a` or `b`. Source: get-cmiuuid.
        leg: Leg = "leg",
        /// Direction of the leg. Source: get-cmiuuid.
        direction: Direction = "direction",
        /// `answered` or `missed`. Source: get-cmiuuid.
        status: Status = "status",
    }
}
