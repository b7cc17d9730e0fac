#[cfg(unix)]
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Has as many files open at once as connections may be: what a shell allows is often less.
pub(super) fn allow(wanted: u64) {
    #[cfg(not(unix))]
    let _ = wanted;
    #[cfg(unix)]
    if let Some(raised) = raised(getrlimit(Resource::Nofile), wanted) {
        // It works without, for fewer.
        if let Err(error) = setrlimit(Resource::Nofile, raised) {
            tracing::debug!("no more files may be open at once: {error}");
        }
    }
}

/// What is set, where there is less.
#[cfg(unix)]
fn raised(limit: Rlimit, wanted: u64) -> Option<Rlimit> {
    let wanted = limit.maximum.map_or(wanted, |most| most.min(wanted));
    limit.current.is_some_and(|now| now < wanted).then_some(Rlimit { current: Some(wanted), ..limit })
}

#[cfg(all(test, unix))]
mod tests {
    use super::{Rlimit, raised};

    #[test]
    fn a_limit_is_raised_as_far_as_it_may_be_and_never_lowered() {
        let limit = |current, maximum| Rlimit { current, maximum };
        let to =
            |current, maximum| raised(limit(current, maximum), 8_192).map(|raised| raised.current.unwrap());
        assert_eq!(to(Some(1_024), Some(1_048_576)), Some(8_192));
        assert_eq!(to(Some(256), None), Some(8_192));
        assert_eq!(to(Some(1_024), Some(4_096)), Some(4_096));
        assert_eq!(to(Some(1_024), Some(1_024)), None);
        assert_eq!(to(Some(65_536), Some(1_048_576)), None);
        assert_eq!(to(None, None), None);
    }
}
