use proptest::prelude::*;

use crate::documented::Choices;
use crate::{Cdr, Form, Kind, LiveEvent, OpenObject, Profile, Webhook};

/// A webhook of any form that the profile has, guessed ones too: it validates without a finding.
pub fn webhook(profile: Profile) -> BoxedStrategy<Webhook> {
    (forms(profile, &Kind::ALL), choices())
        .prop_map(|(form, choices)| match form.kind {
            Kind::LiveEvent => choices.payload::<LiveEvent>(form).into(),
            Kind::Cdr => choices.payload::<Cdr>(form).into(),
        })
        .boxed()
}

/// A live event of any form that the profile has.
pub fn live_event(profile: Profile) -> BoxedStrategy<LiveEvent> {
    payload(profile, Kind::LiveEvent)
}

/// A CDR of any form that the profile has.
pub fn cdr(profile: Profile) -> BoxedStrategy<Cdr> {
    payload(profile, Kind::Cdr)
}

fn payload<T: OpenObject + std::fmt::Debug + 'static>(profile: Profile, kind: Kind) -> BoxedStrategy<T> {
    (forms(profile, &[kind]), choices()).prop_map(|(form, choices)| choices.payload(form)).boxed()
}

fn forms(profile: Profile, kinds: &[Kind]) -> impl Strategy<Value = &'static Form> + use<> {
    let forms: Vec<&'static Form> =
        Form::all(profile).iter().filter(|form| kinds.contains(&form.kind)).collect();
    prop::sample::select(forms)
}

fn choices() -> impl Strategy<Value = Choices> {
    let phone = || 1_000_000..1_000_000_000_000_000_i64;
    (
        1..10_000_000_i64,
        [phone(), phone()],
        1_000_000_000..2_000_000_000_i64,
        0..120_i64,
        0..7200_i64,
        0..100_000_000_i64,
        -1_000_000_000..1_000_000_000_000_i64,
        any::<[u128; 2]>(),
        any::<u64>(),
    )
        .prop_map(|(appid, phones, start, ring_seconds, talk_seconds, rate, balance, ids, picks)| {
            Choices {
                appid,
                phones,
                start,
                ring_seconds,
                talk_seconds,
                rate_millionths: rate,
                balance_millionths: balance,
                ids,
                picks,
            }
        })
}
