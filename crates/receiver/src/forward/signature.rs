//! Standard Webhooks (<https://www.standardwebhooks.com>, 1.0.0): what lets the app trust what it is sent.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::{digest, hmac};

/// The secret that a destination and the forwarder share.
///
/// # Examples
/// ```
/// use piopiy_receiver::SigningSecret;
///
/// assert!("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".parse::<SigningSecret>().is_ok());
/// assert!("hunter2".parse::<SigningSecret>().is_err());
/// ```
#[derive(Clone)]
pub struct SigningSecret(hmac::Key);

/// Why a text is no [`SigningSecret`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected whsec_ and 24 to 64 bytes as base 64, such as `echo whsec_$(openssl rand -base64 32)` prints"
)]
#[non_exhaustive]
pub struct InvalidSigningSecret;

impl std::str::FromStr for SigningSecret {
    type Err = InvalidSigningSecret;

    fn from_str(text: &str) -> Result<Self, InvalidSigningSecret> {
        let text = text.trim();
        let bytes = text.strip_prefix("whsec_").and_then(|encoded| STANDARD.decode(encoded).ok());
        match bytes {
            Some(bytes) if (24..=64).contains(&bytes.len()) => {
                Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, &bytes)))
            }
            _ => Err(InvalidSigningSecret),
        }
    }
}

/// Without the secret.
impl std::fmt::Debug for SigningSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SigningSecret")
    }
}

impl SigningSecret {
    /// The value of `webhook-signature`; `timestamp` in seconds since the epoch.
    pub(super) fn sign(&self, id: &str, timestamp: i64, body: &[u8]) -> String {
        let mut context = hmac::Context::with_key(&self.0);
        context.update(format!("{id}.{timestamp}.").as_bytes());
        context.update(body);
        format!("v1,{}", STANDARD.encode(context.sign()))
    }
}

/// The value of `webhook-id`: the same for every attempt, destination, replica and store, for it follows from what makes
/// the webhook itself.
pub(crate) fn webhook_id(identity: &str) -> String {
    let hash = digest::digest(&digest::SHA256, identity.as_bytes());
    let hex: String = hash.as_ref().iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    format!("wh_{hex}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification's reference libraries.
    #[test]
    fn signs_as_the_specification_says() {
        let secret: SigningSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".parse().unwrap();
        let signature =
            secret.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, br#"{"test": 2432232314}"#);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn an_id_follows_from_the_identity_alone() {
        let id = webhook_id(r#"["cdr","x","a","missed",null]"#);
        assert_eq!(id, webhook_id(r#"["cdr","x","a","missed",null]"#));
        assert_ne!(id, webhook_id(r#"["cdr","x","b","missed",null]"#));
        assert_eq!(id.len(), 35);
    }

    #[test]
    fn secrets_that_are_none() {
        for text in ["", "whsec_", "whsec_short", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_!!!!"] {
            assert!(text.parse::<SigningSecret>().is_err(), "{text}");
        }
    }
}
