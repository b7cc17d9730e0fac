use super::{Check, avl, concurrent, dup, jsn, lat, ord, pio, rty, sch, sec, trn};

/// Every group's checks, in the order of the catalogue.
const GROUPS: [&[Check]; 11] = [
    trn::CHECKS,
    jsn::CHECKS,
    sch::CHECKS,
    pio::CHECKS,
    ord::CHECKS,
    dup::CHECKS,
    rty::CHECKS,
    lat::CHECKS,
    concurrent::CHECKS,
    sec::CHECKS,
    avl::CHECKS,
];

/// Every check, group by group, by number within.
#[must_use]
pub fn all() -> Vec<&'static Check> {
    let mut all = Vec::new();
    for group in GROUPS {
        let mut checks: Vec<&Check> = group.iter().collect();
        checks.sort_by_key(|check| check.id);
        all.extend(checks);
    }
    all
}

/// The check of that id, in any case.
///
/// # Examples
/// ```
/// use piopiy_mock_platform::judge::check::find;
/// assert_eq!(find("dup-002").unwrap().id, "DUP-002");
/// assert!(find("DUP-999").is_none());
/// ```
#[must_use]
pub fn find(id: &str) -> Option<&'static Check> {
    all().into_iter().find(|check| check.id.eq_ignore_ascii_case(id))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::check::{Action, Case, Composer, Group, Payload, Script, Sources, Step};
    use crate::plan::{Nonce, Seed};
    use piopiy_events::Profile;

    #[test]
    fn every_check_is_told_whole_and_once() {
        let mut seen = std::collections::BTreeSet::new();
        for check in all() {
            let id = check.id;
            assert!(seen.insert(id), "{id} is there twice");
            let number = id.strip_prefix(check.group().as_str()).and_then(|rest| rest.strip_prefix('-'));
            assert!(number.is_some_and(|number| number.len() == 3 && number.parse::<u16>().is_ok()), "{id}");
            let fixes = [check.fixes.axum, check.fixes.express, check.fixes.flask];
            for text in [check.title, check.source, check.why].into_iter().chain(fixes) {
                assert!(!text.is_empty(), "{id} leaves something unsaid");
            }
        }
    }

    #[test]
    fn each_group_has_its_own_table() {
        for (checks, group) in GROUPS.into_iter().zip(Group::ALL) {
            for check in checks {
                assert!(check.id.starts_with(group.as_str()), "{} is in the table of {group}", check.id);
            }
        }
    }

    /// Whether the first request of a script has JSON for a body that has no id.
    fn has_no_id(script: &Script) -> bool {
        let sent = script.actions.iter().filter_map(|action| match action {
            Action::Send { bytes, .. } => Some(&bytes[..]),
            _ => None,
        });
        let sent = sent.collect::<Vec<_>>().concat();
        let Some(at) = sent.windows(4).position(|bytes| bytes == b"\r\n\r\n") else { return false };
        let (head, body) = sent.split_at(at + 4);
        let is_chunked = head.windows(7).any(|bytes| bytes.eq_ignore_ascii_case(b"chunked"));
        let document = serde_json::Deserializer::from_slice(body).into_iter::<serde_json::Value>().next();
        let has_none = |document: serde_json::Value| document["cmiuuid"].as_str().is_none_or(str::is_empty);
        !is_chunked && document.and_then(Result::ok).is_some_and(has_none)
    }

    /// A check that sends a webhook which would be kept without an id takes all such effects for its own meanwhile: so none
    /// may run beside it that sends some and does not say so.
    #[test]
    fn whoever_sends_what_has_no_id_says_so() {
        let sources = Sources::new(Profile::Global, Seed(3), Nonce(4), "127.0.0.1:5000", "/webhook/cdr");
        let mut found = 0;
        for check in all().into_iter().filter(|check| !check.waits()) {
            for case in (check.stimulus)(&mut Composer::new(check.id, 0, sources.clone())) {
                let scripts = case.steps.iter().filter_map(|step| match step {
                    Step::Connections(scripts) => Some(scripts),
                    _ => None,
                });
                if scripts.flatten().any(has_no_id) {
                    found += 1;
                    assert!(case.may_stray() || case.is_anonymous, "{}: {}", check.id, case.name);
                }
            }
        }
        assert!(found > 10, "{found}");
    }

    /// Whether somebody who replaces his first effect by a second is seen doing so must not depend on when others look.
    #[test]
    fn a_check_that_sends_something_again_looks_in_between_once() {
        let sources = Sources::new(Profile::Global, Seed(3), Nonce(4), "127.0.0.1:5000", "/webhook/cdr");
        let mut found = 0;
        for check in all() {
            let cases = (check.stimulus)(&mut Composer::new(check.id, 0, sources.clone()));
            let repeats: Vec<bool> = cases.iter().flat_map(repeats_looked_at).collect();
            found += repeats.len();
            assert!(repeats.is_empty() || repeats.contains(&true), "{}", check.id);
        }
        assert!(found > 100, "{found}");
    }

    /// Of each webhook that a case sends more than once, and whose effects count, whether there is a look in between.
    fn repeats_looked_at(case: &Case) -> Vec<bool> {
        let mut looked_at = Vec::new();
        for payload in case.expected.iter().map(|expected| &expected.payload) {
            let sends = |step: &Step| step.scripts().iter().filter(|script| is_sent(script, payload)).count();
            let is_look = |n: &usize| matches!(case.steps[*n], Step::Look | Step::Glance);
            let are_sent = |steps: &[Step]| steps.iter().any(|step| sends(step) > 0);
            if case.steps.iter().map(sends).sum::<usize>() > 1 {
                let mut looks = (0..case.steps.len()).filter(is_look);
                looked_at.push(looks.any(|n| are_sent(&case.steps[..n]) && are_sent(&case.steps[n..])));
            }
        }
        looked_at
    }

    /// Also where nothing is noted of it, as no answer is waited for.
    fn is_sent(script: &Script, payload: &Payload) -> bool {
        if !script.requests.is_empty() {
            return script.requests.iter().any(|sent| sent.of == Some(payload.id));
        }
        let sent = script.actions.iter().filter_map(|action| match action {
            Action::Send { bytes, .. } => Some(bytes.as_slice()),
            _ => None,
        });
        let sent = sent.collect::<Vec<_>>().concat();
        sent.windows(payload.bytes.len().max(1)).any(|window| window == payload.bytes)
    }

    #[test]
    fn every_stimulus_can_be_made_in_every_profile_and_twice_the_same() {
        for profile in Profile::ALL {
            let sources = Sources::new(profile, Seed(3), Nonce(4), "127.0.0.1:5000", "/webhook/cdr");
            for check in all() {
                let told = check.describe(&sources);
                assert_eq!(told, check.describe(&sources), "{}", check.id);
                let cases = (check.stimulus)(&mut Composer::new(check.id, 0, sources.clone()));
                let names: std::collections::BTreeSet<_> = cases.iter().map(|case| &case.name).collect();
                assert_eq!(names.len(), cases.len(), "{}: two cases have one name", check.id);
            }
        }
    }
}
