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
    use crate::judge::check::{Composer, Group, Sources};
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
