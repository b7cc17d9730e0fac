use std::borrow::Cow;
use std::fmt;

use crate::{FieldValue, Raw, Shape};

/// A credential, such as `secret`. It goes over the wire as it is, and is not shown by `Debug`.
///
/// # Examples
/// ```
/// use piopiy_events::Secret;
/// let secret = Secret::new("hush");
/// assert_eq!(secret.text(), "hush");
/// assert_eq!(format!("{secret:?}"), "(not shown)");
/// ```
#[derive(Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct Secret(Raw);

impl Secret {
    /// A string, as documented.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(Raw::string(text))
    }

    /// The text of the credential.
    #[must_use]
    pub fn text(&self) -> Cow<'_, str> {
        self.0.plain()
    }
}

impl FieldValue for Secret {
    const SHAPE: Shape = Shape::Text;

    fn from_raw(raw: Raw) -> Self {
        Self(raw)
    }

    fn raw(&self) -> &Raw {
        &self.0
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(not shown)")
    }
}
