use std::time::{Duration, SystemTime};

use super::integer_value;

integer_value! {
    /// A point in time in **milliseconds** since 1970 (UTC), such as `time`.
    EpochMillis,
    /// Milliseconds since 1970.
    millis
}
integer_value! {
    /// A point in time in **seconds** since 1970 (UTC): `start_time`, `answer_time`, `end_time`.
    EpochSeconds,
    /// Seconds since 1970.
    seconds
}

impl EpochMillis {
    /// The point in time, where it is readable and not before 1970.
    ///
    /// # Examples
    /// ```
    /// use piopiy_events::EpochMillis;
    /// let time = EpochMillis::new(1_725_975_496_000).instant().unwrap();
    /// assert_eq!(time.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs(), 1_725_975_496);
    /// ```
    #[must_use]
    pub fn instant(&self) -> Option<SystemTime> {
        let millis = u64::try_from(self.millis()?).ok()?;
        SystemTime::UNIX_EPOCH.checked_add(Duration::from_millis(millis))
    }
}

impl EpochSeconds {
    /// The point in time, where it is readable and not before 1970.
    #[must_use]
    pub fn instant(&self) -> Option<SystemTime> {
        let seconds = u64::try_from(self.seconds()?).ok()?;
        SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds))
    }
}
