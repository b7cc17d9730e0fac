//! Signatures after Standard Webhooks (<https://www.standardwebhooks.com>): HMAC with SHA-256 over id, time and body.

use std::fmt;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use ring::hmac;
use serde::{Deserialize, Serialize};

use super::case_file::{bytes, is_default};

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The key that webhooks are signed with. It is never shown.
///
/// # Examples
/// ```
/// use piopiy_mock_platform::judge::check::SigningKey;
///
/// let key = SigningKey::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")?;
/// assert_eq!(format!("{key:?}"), "SigningKey(..)");
/// assert!(SigningKey::parse("whsec_c2hvcnQ=").is_err());
/// # Ok::<(), piopiy_mock_platform::judge::check::SigningKeyError>(())
/// ```
#[derive(Clone)]
pub struct SigningKey {
    key: hmac::Key,
    is_stray: bool,
}

/// A text that is no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a signing key is `whsec_` and the base64 of 24 to 64 bytes")]
pub struct SigningKeyError;

impl SigningKey {
    /// Reads `whsec_…`; the prefix may be missing.
    ///
    /// # Errors
    /// If it is no base64 of 24 to 64 bytes. The error does not repeat it.
    pub fn parse(text: &str) -> Result<Self, SigningKeyError> {
        let text = text.trim();
        let bytes =
            BASE64.decode(text.strip_prefix("whsec_").unwrap_or(text)).map_err(|_| SigningKeyError)?;
        if (24..=64).contains(&bytes.len()) { Ok(Self::of(&bytes)) } else { Err(SigningKeyError) }
    }

    /// One that is nobody's.
    pub(crate) fn stray() -> Self {
        Self { is_stray: true, ..Self::of(&[0x5a; 32]) }
    }

    fn of(bytes: &[u8]) -> Self {
        Self { key: hmac::Key::new(hmac::HMAC_SHA256, bytes), is_stray: false }
    }

    fn sign(&self, id: &str, time_s: u64, body: &[u8]) -> String {
        let signed = [format!("{id}.{time_s}.").as_bytes(), body].concat();
        BASE64.encode(hmac::sign(&self.key, &signed))
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey(..)")
    }
}

/// What is no signature.
const MALFORMED: &str = "v1,==, v1 sha256=";

/// How a request is signed.
#[derive(Debug, Clone)]
pub(crate) struct Signature {
    pub(crate) key: SigningKey,
    /// The same for each try of a webhook.
    pub(crate) id: String,
    /// Seconds since 1970.
    pub(crate) time_s: u64,
    /// The same, of the time at which it is composed.
    pub(crate) now_s: u64,
    pub(crate) form: Form,
}

/// What is written where the signature goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Form {
    /// The signature of the body.
    One,
    /// That of another body.
    Of(#[serde(with = "bytes")] Vec<u8>),
    /// That of another key before it, as while keys are changed.
    BehindAnother,
    /// What is no signature.
    Malformed,
}

impl Signature {
    /// The header lines for a body.
    pub(crate) fn lines(&self, body: &[u8]) -> [String; 3] {
        let [id, time, signature] = self.values(body);
        [
            format!("webhook-id: {id}"),
            format!("webhook-timestamp: {time}"),
            format!("webhook-signature: {signature}"),
        ]
    }

    /// As a document has it.
    pub(crate) fn of(&self, body: &[u8]) -> Signed {
        Signed {
            id: self.id.clone(),
            offset_s: self.time_s.cast_signed() - self.now_s.cast_signed(),
            form: self.form.clone(),
            is_stray: self.key.is_stray,
            body: body.to_vec(),
            values: self.values(body).into(),
        }
    }

    /// Id, time and signature.
    fn values(&self, body: &[u8]) -> [String; 3] {
        let sign = |body: &[u8]| self.key.sign(&self.id, self.time_s, body);
        let signature = match &self.form {
            Form::One => format!("v1,{}", sign(body)),
            Form::Of(other) => format!("v1,{}", sign(other)),
            Form::BehindAnother => {
                let other = SigningKey::stray().sign(&self.id, self.time_s, body);
                format!("v1,{other} v1,{}", sign(body))
            }
            Form::Malformed => MALFORMED.to_owned(),
        };
        [self.id.clone(), self.time_s.to_string(), signature]
    }
}

/// How a request is signed, without the key and without the time: what it takes to sign it again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Signed {
    pub(crate) id: String,
    /// How many seconds ahead of the time at which it is composed.
    pub(crate) offset_s: i64,
    pub(crate) form: Form,
    /// Whether the key is nobody's.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) is_stray: bool,
    /// What is signed.
    #[serde(with = "bytes")]
    pub(crate) body: Vec<u8>,
    /// What was written: id, time and signature.
    #[serde(skip)]
    pub(crate) values: Vec<String>,
}

impl Signed {
    /// Signs it anew; what is written then.
    pub(crate) fn again(
        &self,
        key: &SigningKey,
        id: String,
        now_s: u64,
        filled: &dyn Fn(&[u8]) -> Vec<u8>,
    ) -> [String; 3] {
        let key = if self.is_stray { SigningKey::stray() } else { key.clone() };
        let form = match &self.form {
            Form::Of(other) => Form::Of(filled(other)),
            form => form.clone(),
        };
        let signature =
            Signature { key, id, time_s: now_s.saturating_add_signed(self.offset_s), now_s, form };
        signature.values(&filled(&self.body))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification's own libraries.
    #[test]
    fn a_signature_is_that_of_the_specification() {
        let key = SigningKey::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let signature = key.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, br#"{"test": 2432232314}"#);
        assert_eq!(signature, "g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn keys_are_read_with_and_without_their_prefix_and_padding() {
        for text in ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwAA==", " MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwAA\n"] {
            assert!(SigningKey::parse(text).is_ok(), "{text}");
        }
        for text in ["", "whsec_", "whsec_AAAA", "whsec_?"] {
            assert_eq!(SigningKey::parse(text).unwrap_err(), SigningKeyError, "{text}");
        }
    }
}
