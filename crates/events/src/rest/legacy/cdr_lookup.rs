use crate::open::open_object;
use crate::{
    AppId, Code, Count, Direction, EpochMillis, Leg, LegId, Money, OneOrMany, PhoneNumber, Rate, RequestId,
    Seconds, Secret, Status, Text,
};

open_object! {
    /// Asks for the record of a leg: `v1/piopiy/cmiuuid_cdr`.
    pub struct CmiuuidCdr {
        /// The account's app id [get-cmiuuid].
        appid: AppId = "appid",
        /// The account's secret [get-cmiuuid].
        secret: Secret = "secret",
        /// The UUID of the leg [get-cmiuuid].
        cmiuuid: LegId = "cmiuuid",
    }
}

open_object! {
    /// Asks for the records of the legs that a request made: `v1/piopiy/requestid_cdr`.
    pub struct RequestIdCdr {
        /// The account's app id [india/get-request-id].
        appid: AppId = "appid",
        /// The account's secret [india/get-request-id].
        secret: Secret = "secret",
        /// The id that the make-call request returned [india/get-request-id].
        request_id: RequestId = "request_id",
    }
}

open_object! {
    /// Answers [`CmiuuidCdr`] with one record and [`RequestIdCdr`] with an array.
    pub struct CdrResponse {
        /// How many records there are; by request only [india/get-request-id].
        count: Count = "count",
        /// One record, or several [get-cmiuuid].
        cdr: OneOrMany<CdrSummary> = "cdr",
        /// 200, or 404 for wrong credentials, a missing parameter or an unknown id [get-cmiuuid].
        code: Code = "code",
        /// What went wrong, in words [guess].
        msg: Text = "msg",
    }
}

open_object! {
    /// A record as it is looked up: less than a [`Cdr`](crate::Cdr), under other names.
    pub struct CdrSummary {
        /// Talk time in seconds [get-cmiuuid].
        duration: Seconds = "duration",
        /// The account's balance afterwards: a string in global (its table says number), a number in India
        /// [get-cmiuuid].
        balance: Money = "balance",
        /// What the leg cost; as `balance` [get-cmiuuid].
        rate: Rate = "rate",
        /// The calling number [get-cmiuuid].
        from: PhoneNumber = "from",
        /// The number called [get-cmiuuid].
        to: PhoneNumber = "to",
        /// When the record was made, in milliseconds since 1970 [get-cmiuuid].
        time: EpochMillis = "time",
        /// `a` or `b` [get-cmiuuid].
        leg: Leg = "leg",
        /// Direction of the leg [get-cmiuuid].
        direction: Direction = "direction",
        /// `answered` or `missed` [get-cmiuuid].
        status: Status = "status",
    }
}
