use super::{field_value, integer_value};

integer_value! {
    /// `appid`: the account's app id, a number. Tables of the older revisions call it `app_id`.
    AppId,
    /// The id as a number.
    id
}
field_value! {
    /// A phone number: digits without `+`. A number in most payloads; a string in `global-2022` hang-up events and
    /// answer-URL requests; `callerid` in India is a string with a leading zero.
    PhoneNumber: Digits
}
integer_value! {
    /// A length of time in whole seconds.
    Seconds,
    /// The length in seconds.
    seconds
}
integer_value! {
    /// How many: attempts, digits, hertz. What came is kept, a negative number too.
    Count,
    /// The number.
    count
}
field_value! {
    /// A yes or no.
    Flag: Boolean
}

impl PhoneNumber {
    /// A JSON number, as most payloads have it.
    ///
    /// # Examples
    /// ```
    /// use piopiy_events::PhoneNumber;
    /// assert_eq!(PhoneNumber::new(447_700_900_123).as_json(), "447700900123");
    /// assert_eq!(PhoneNumber::quoted("04471000000").as_json(), "\"04471000000\"");
    /// assert_eq!(PhoneNumber::quoted("+447700900123").digits().as_deref(), Some("447700900123"));
    /// ```
    #[must_use]
    pub fn new(number: i64) -> Self {
        Self(crate::Raw::number(number))
    }

    /// A JSON string: keeps a leading zero.
    #[must_use]
    pub fn quoted(digits: &str) -> Self {
        Self(crate::Raw::string(digits))
    }

    /// The digits, without a leading `+` or blank (what a decoded `+` looks like). `None` where anything else
    /// than digits is left, as in a SIP user.
    #[must_use]
    pub fn digits(&self) -> Option<String> {
        let text = self.0.plain();
        let digits = text.trim_start_matches([' ', '+']);
        let valid = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        valid.then(|| digits.to_owned())
    }
}

impl From<i64> for PhoneNumber {
    fn from(number: i64) -> Self {
        Self::new(number)
    }
}

impl From<bool> for Flag {
    fn from(value: bool) -> Self {
        Self::new(value)
    }
}

impl Flag {
    /// A JSON boolean.
    #[must_use]
    pub fn new(value: bool) -> Self {
        Self(crate::Raw::boolean(value))
    }

    /// Yes or no, from a boolean or from the strings `"true"` and `"false"`.
    #[must_use]
    pub fn is_set(&self) -> Option<bool> {
        match &*self.0.plain() {
            "true" => Some(true),
            "false" => Some(false),
            _ => None,
        }
    }
}
