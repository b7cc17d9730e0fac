//! What calls in progress have still to come, in the order in which it is due. Pure.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use super::Due;

/// One heap of all that 100,000 calls have to come is spread over more memory than a cache has: so it lies in slots of time, and
/// only the slot that is next is a heap.
#[derive(Default)]
pub(super) struct Coming {
    /// What is due in this slot, or before it. Empty only where nothing is to come.
    next: BinaryHeap<Reverse<Due>>,
    slot: u64,
    later: BTreeMap<u64, Vec<Due>>,
}

/// A slot has 2²⁴ ns, 17 ms.
const SLOT_BITS: u32 = 24;

impl Coming {
    pub(super) fn peek(&self) -> Option<Due> {
        self.next.peek().map(|Reverse(due)| *due)
    }

    pub(super) fn push(&mut self, due: Due) {
        let slot = due.at_ns >> SLOT_BITS;
        if slot <= self.slot {
            self.next.push(Reverse(due));
        } else {
            self.later.entry(slot).or_default().push(due);
            self.go_on();
        }
    }

    pub(super) fn pop(&mut self) -> Option<Due> {
        let Reverse(due) = self.next.pop()?;
        self.go_on();
        Some(due)
    }

    /// Goes on to the slot that is next, once the one before is empty.
    fn go_on(&mut self) {
        if self.next.is_empty()
            && let Some((slot, due)) = self.later.pop_first()
        {
            self.slot = slot;
            self.next = due.into_iter().map(Reverse).collect();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn it_comes_in_the_order_in_which_it_is_due_whenever_it_was_put_in() {
        let step = || proptest::option::weighted(0.7, (0..20_u64 << SLOT_BITS, 0..3_u16));
        proptest!(|(steps in proptest::collection::vec(step(), 1..400))| {
            let (mut coming, mut model) = (Coming::default(), BTreeSet::new());
            for (nth, step) in (0..).zip(steps) {
                match step {
                    Some((at_ns, attempt)) => {
                        // Now and then at one instant: what follows decides.
                        let at_ns = at_ns >> 20 << 20;
                        let due = Due { at_ns, call: 400 - nth, webhook: 0, starts_at_ms: 0, attempt, marks: 0 };
                        coming.push(due);
                        model.insert(due);
                    }
                    None => prop_assert_eq!(coming.pop(), model.pop_first()),
                }
                prop_assert_eq!(coming.peek(), model.first().copied());
            }
            while let Some(due) = model.pop_first() {
                prop_assert_eq!(coming.pop(), Some(due));
            }
            prop_assert_eq!(coming.pop(), None);
        });
    }
}
