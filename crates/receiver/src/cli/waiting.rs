//! Waiting for a store that another process is about to let go of: a receiver that was killed, a command at its end.

use std::time::{Duration, Instant};

use piopiy_receiver::StoreError;

/// So long it is waited for.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often it is looked.
const EVERY: Duration = Duration::from_millis(50);

/// Opens a store, again and again while another process has it.
pub(super) fn until_free<T>(mut open: impl FnMut() -> Result<T, StoreError>) -> Result<T, StoreError> {
    let until = Instant::now() + PATIENCE;
    loop {
        match open() {
            Err(StoreError::InUse { .. }) if Instant::now() < until => std::thread::sleep(EVERY),
            outcome => return outcome,
        }
    }
}
