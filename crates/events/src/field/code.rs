use super::field_value;

field_value! {
    /// `code` or `cmi_code`: what became of a REST request. The number 200 for success; `add_sip` answers the
    /// string `"cmi-200"`.
    Code: Any
}

impl Code {
    /// A number, as most answers have it.
    #[must_use]
    pub fn new(code: i64) -> Self {
        Self(crate::Raw::number(code))
    }

    /// A string with the prefix `cmi-`, as `add_sip` answers.
    #[must_use]
    pub fn prefixed(code: i64) -> Self {
        Self(crate::Raw::string(&format!("cmi-{code}")))
    }

    /// The number, whichever way it was written.
    ///
    /// # Examples
    /// ```
    /// use piopiy_events::Code;
    /// assert_eq!(Code::new(420).number(), Some(420));
    /// assert_eq!(Code::prefixed(200).number(), Some(200));
    /// ```
    #[must_use]
    pub fn number(&self) -> Option<i64> {
        let text = self.0.plain();
        crate::json::raw::integer(text.strip_prefix("cmi-").unwrap_or(&text))
    }
}

impl From<i64> for Code {
    fn from(code: i64) -> Self {
        Self::new(code)
    }
}
