use std::fmt;
use std::sync::Arc;

use piopiy_events::{Form, Profile, Webhook};

use crate::plan::{SingleError, unknown_event};
use crate::platform::board::WebhookRow;

/// A condition of one's own.
type Condition = Arc<dyn Fn(&Webhook) -> bool + Send + Sync>;

/// Which webhooks are meant.
///
/// # Examples
/// ```
/// use piopiy_mock_platform::platform::WebhookMatcher;
///
/// let matcher = WebhookMatcher::named("cdr.inbound.answered")
///     .leg("b")
///     .member("extra_params", r#"{"menu":1}"#)
///     .satisfying("a price", |webhook| webhook.get("price").is_some());
/// assert_eq!(
///     matcher.to_string(),
///     r#"cdr.inbound.answered with leg "b", extra_params "{\"menu\":1}", a price"#
/// );
/// ```
#[derive(Clone, Default)]
#[must_use = "it says what is expected, and expects nothing by itself"]
pub struct WebhookMatcher {
    name: Option<String>,
    members: Vec<(String, String)>,
    conditions: Vec<(String, Condition)>,
}

impl WebhookMatcher {
    /// Every webhook.
    pub fn any() -> Self {
        Self::default()
    }

    /// Those of a name, as in `piopiy-mock events`: `cdr.inbound.missed`, `live.out_started`.
    pub fn named(name: impl Into<String>) -> Self {
        Self { name: Some(name.into()), ..Self::default() }
    }

    /// Those of leg `a` or `b`.
    pub fn leg(self, leg: &str) -> Self {
        self.member("leg", leg)
    }

    /// Those that have a member of this value; quotes around it make no difference.
    pub fn member(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.members.push((key.into(), value.into()));
        self
    }

    /// Those that fulfil a condition of your own, which is called `what` where it is shown.
    pub fn satisfying(
        mut self,
        what: impl Into<String>,
        condition: impl Fn(&Webhook) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.conditions.push((what.into(), Arc::new(condition)));
        self
    }

    /// Says so where no webhook of a profile can be meant.
    pub(super) fn check(&self, profile: Profile) -> Result<(), SingleError> {
        match &self.name {
            Some(name) if Form::named(profile, name).next().is_none() => Err(unknown_event(name, profile)),
            _ => Ok(()),
        }
    }

    pub(super) fn fits(&self, row: &WebhookRow) -> bool {
        if self.name.as_ref().is_some_and(|name| *name != row.plan.name) {
            return false;
        }
        let Ok(webhook) = Webhook::parse(row.plan.body.as_bytes()) else { return false };
        self.members.iter().all(|(key, value)| webhook.text(key).is_some_and(|text| text == value.as_str()))
            && self.conditions.iter().all(|(_, holds)| holds(&webhook))
    }
}

impl From<&str> for WebhookMatcher {
    fn from(name: &str) -> Self {
        Self::named(name)
    }
}

impl fmt::Display for WebhookMatcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name.as_deref().unwrap_or("any webhook"))?;
        let members = self.members.iter().map(|(key, value)| format!("{key} {value:?}"));
        let conditions = self.conditions.iter().map(|(what, _)| what.clone());
        let all: Vec<String> = members.chain(conditions).collect();
        if all.is_empty() { Ok(()) } else { write!(f, " with {}", all.join(", ")) }
    }
}

impl fmt::Debug for WebhookMatcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WebhookMatcher({self})")
    }
}
