//! Which webhooks a destination gets.

use std::borrow::Cow;

use piopiy_events::{Kind, Webhook};

use crate::auth::app_id;

/// What a webhook must be to be forwarded to a destination. Each list that is empty takes any; a webhook must fit all.
///
/// # Examples
/// ```
/// use piopiy_events::{Kind, Webhook};
/// use piopiy_receiver::ForwardFilter;
///
/// let cdrs = ForwardFilter { kinds: vec![Kind::Cdr], ..ForwardFilter::default() };
/// let cdr = Webhook::parse(br#"{"cmiuuid":"x","leg":"a","status":"missed","duration":0}"#)?;
/// assert!(cdrs.takes(&cdr));
/// # Ok::<(), piopiy_events::ParseError>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "made with struct update syntax")]
pub struct ForwardFilter {
    /// CDRs, live events.
    pub kinds: Vec<Kind>,
    /// `status` as sent, such as `answered` or `stream_connected`.
    pub statuses: Vec<String>,
    /// `leg` as sent.
    pub legs: Vec<String>,
    /// `appid` as sent, in digits.
    pub app_ids: Vec<String>,
}

impl ForwardFilter {
    /// Whether this webhook is forwarded.
    #[must_use]
    pub fn takes(&self, webhook: &Webhook) -> bool {
        let is_in = |list: &[String], text: Option<Cow<'_, str>>| {
            list.is_empty() || text.is_some_and(|text| list.iter().any(|wanted| *wanted == text))
        };
        (self.kinds.is_empty() || webhook.kind().is_some_and(|kind| self.kinds.contains(&kind)))
            && is_in(&self.statuses, webhook.text("status"))
            && is_in(&self.legs, webhook.text("leg"))
            && is_in(&self.app_ids, app_id(webhook))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_webhook_must_fit_every_list() {
        let cdr = r#"{"appid":7,"cmiuuid":"x","leg":"a","status":"missed","duration":0}"#;
        let check = |filter: ForwardFilter, expected| {
            assert_eq!(filter.takes(&Webhook::parse(cdr.as_bytes()).unwrap()), expected, "{filter:?}");
        };
        let texts = |text: &str| vec!["other".to_owned(), text.to_owned()];
        let any = ForwardFilter::default;
        check(any(), true);
        check(ForwardFilter { kinds: vec![Kind::Cdr], statuses: texts("missed"), ..any() }, true);
        check(ForwardFilter { kinds: vec![Kind::LiveEvent], ..any() }, false);
        check(ForwardFilter { kinds: vec![Kind::Cdr], statuses: texts("answered"), ..any() }, false);
        check(ForwardFilter { legs: texts("a"), app_ids: texts("7"), ..any() }, true);
        check(ForwardFilter { legs: texts("b"), ..any() }, false);
        check(ForwardFilter { app_ids: texts("8"), ..any() }, false);
        let other = Webhook::parse(cdr.replace("appid", "app_id").as_bytes()).unwrap();
        assert!(
            ForwardFilter { app_ids: texts("7"), ..any() }.takes(&other),
            "whoever is let in is forwarded"
        );
    }
}
