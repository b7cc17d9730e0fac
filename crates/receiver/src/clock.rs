use std::time::SystemTime;

/// The wall clock, in microseconds since the epoch; the one place that reads it.
pub(crate) fn now_micros() -> i64 {
    let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since_epoch.map_or(0, |elapsed| i64::try_from(elapsed.as_micros()).unwrap_or(i64::MAX))
}
