//! What is done to store and forwarder.

use proptest::collection::vec;
use proptest::prelude::*;

use super::expected::{PLACES, Sent};
use crate::support::stage::Reply;

/// Calls that there are.
const CALLS: u8 = 4;
/// One destination gets everything, the other CDRs.
pub(super) const NAMES: [&str; 2] = ["app", "cdrs"];

/// What is asked for again.
#[derive(Debug, Clone, Copy)]
pub(super) enum Again {
    Call(u8),
    Status(&'static str),
    /// All that was received since the record at this place, of all that there are by then.
    Since(prop::sample::Index),
    Dead,
}

/// What is done.
#[derive(Debug, Clone)]
pub(super) enum Step {
    Append(Vec<Sent>),
    /// An app answers so from now on; one call's webhooks may have an answer of their own.
    Answers(usize, Reply, Option<(u8, Reply)>),
    Goes(usize),
    Comes(usize),
    Pause(usize, bool),
    Replay(usize, Again),
    Pass(u64),
    /// Everything is dropped where it is, and started again.
    Kill,
    /// It is told to end, and started again.
    Restart,
}

pub(super) fn step() -> impl Strategy<Value = Step> {
    let sent = prop_oneof![12 => (0..CALLS, 0..PLACES).prop_map(Some), 1 => Just(None)];
    let reply = || {
        prop_oneof![
            3 => Just(Reply::Status(200)),
            2 => Just(Reply::Status(500)),
            1 => Just(Reply::Later(1)),
            1 => Just(Reply::Never),
        ]
    };
    let again = prop_oneof![
        (0..CALLS).prop_map(Again::Call),
        prop::sample::select(vec!["answered", "started", "stream_connected"]).prop_map(Again::Status),
        any::<prop::sample::Index>().prop_map(Again::Since),
        Just(Again::Dead),
    ];
    let to = 0..NAMES.len();
    prop_oneof![
        6 => vec(sent, 1..6).prop_map(Step::Append),
        4 => (to.clone(), reply(), proptest::option::of((0..CALLS, reply()))).prop_map(|(to, all, one)| Step::Answers(to, all, one)),
        1 => to.clone().prop_map(Step::Goes),
        2 => to.clone().prop_map(Step::Comes),
        2 => (to.clone(), any::<bool>()).prop_map(|(to, is_paused)| Step::Pause(to, is_paused)),
        2 => (to, again).prop_map(|(to, again)| Step::Replay(to, again)),
        6 => (1..2500_u64).prop_map(Step::Pass),
        2 => Just(Step::Kill),
        1 => Just(Step::Restart),
    ]
}
