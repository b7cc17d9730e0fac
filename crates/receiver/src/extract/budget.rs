//! How many bytes of bodies may be in memory before they wait for the store.

use std::sync::atomic::{AtomicUsize, Ordering};

/// Bytes of bodies that are being read, over all connections. What was only declared does not count: a client that
/// declares much and sends little takes nobody's room.
#[derive(Debug)]
pub(crate) struct BodyBudget {
    taken: AtomicUsize,
    limit: usize,
}

/// A part of the budget. Dropped, it is given back.
#[derive(Debug)]
pub(crate) struct Taken<'a> {
    budget: Option<&'a BodyBudget>,
    bytes: usize,
}

impl BodyBudget {
    pub(crate) fn new(limit: usize) -> Self {
        Self { taken: AtomicUsize::new(0), limit }
    }
}

impl<'a> Taken<'a> {
    /// Nothing yet, of this budget, or of one without a limit.
    pub(crate) fn of(budget: Option<&'a BodyBudget>) -> Self {
        Self { budget, bytes: 0 }
    }

    /// Takes more; whether there was room.
    pub(crate) fn grow(&mut self, bytes: usize) -> bool {
        let Some(budget) = self.budget else {
            return true;
        };
        self.bytes += bytes;
        budget.taken.fetch_add(bytes, Ordering::Relaxed) + bytes <= budget.limit
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        if let Some(budget) = self.budget {
            budget.taken.fetch_sub(self.bytes, Ordering::Relaxed);
        }
    }
}
