use super::string_value;

string_value! {
    /// Bytes as base64 text (RFC 4648, with padding), such as `audioData`. The text is kept as it came.
    Base64
}

impl Base64 {
    /// How many bytes the text decodes to, without decoding it; `None` where it is not base64.
    ///
    /// # Examples
    /// ```
    /// use piopiy_events::Base64;
    /// assert_eq!(Base64::new("AAAAAA==").decoded_len(), Some(4));
    /// assert_eq!(Base64::new("AAAA").decoded_len(), Some(3));
    /// assert_eq!(Base64::new("not base64").decoded_len(), None);
    /// ```
    #[must_use]
    pub fn decoded_len(&self) -> Option<usize> {
        let text = self.0.text()?;
        let digits = text.trim_end_matches('=');
        let padding = text.len() - digits.len();
        let known = digits.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/'));
        (known && padding <= 2 && text.len().is_multiple_of(4)).then(|| text.len() / 4 * 3 - padding)
    }
}
