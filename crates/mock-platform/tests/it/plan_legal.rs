//! What every call must hold, told from its payloads alone: nothing here knows how the simulator works.

use std::collections::{BTreeMap, BTreeSet};

use piopiy_events::{CallDirection, CallState, Cdr, Kind, LiveEvent, Phase, Profile, StatusKind, Webhook};
use piopiy_mock_platform::plan::{PlannedCall, Story};

/// One webhook, read.
struct Seen {
    at_ms: u64,
    webhook: Webhook,
}

/// Checks one call, whose webhooks were read already, and returns its balances in the order in which they were sent. `whole` says whether guesses are
/// in it too.
pub(crate) fn check(
    call: &PlannedCall,
    webhooks: Vec<Webhook>,
    story: Story,
    epoch_ms: u64,
    whole: bool,
) -> Vec<i64> {
    let due = call.webhooks.iter().map(|planned| planned.at_ms);
    let seen: Vec<Seen> = due.zip(webhooks).map(|(at_ms, webhook)| Seen { at_ms, webhook }).collect();
    let fail = |what: &str| {
        let bodies: Vec<_> = seen.iter().map(|seen| seen.webhook.to_json()).collect();
        panic!("{what}\n{} call {} ({}):\n{}", call.profile, call.index, call.story, bodies.join("\n"))
    };
    let must = |holds: bool, what: &str| {
        if !holds {
            fail(what);
        }
    };
    let text = |seen: &Seen, key: &str| seen.webhook.text(key).map(std::borrow::Cow::into_owned);
    let live = |seen: &Seen| seen.webhook.as_live_event().cloned();

    must(seen.is_sorted_by_key(|seen| seen.at_ms), "webhooks are sent in the order in which they are due");
    must(
        call.webhooks.iter().enumerate().all(|(n, webhook)| webhook.seq as usize == n),
        "webhooks are numbered from 0",
    );
    let identities: BTreeSet<_> = seen.iter().filter_map(|seen| seen.webhook.identity()).collect();
    must(identities.len() == seen.len(), "no two webhooks of a call are the same one");

    // One conversation, one request, one account.
    for key in ["conversation_uuid", "request_id", "appid", "extra_params", "callerid", "vn"] {
        let values: BTreeSet<_> = seen.iter().filter_map(|seen| text(seen, key)).collect();
        must(values.len() <= 1, &format!("all webhooks of a call agree on {key}"));
    }
    let of_leg =
        |leg: &str| seen.iter().filter(|seen| text(seen, "leg").as_deref() == Some(leg)).collect::<Vec<_>>();
    let legs_a: BTreeSet<_> = of_leg("a").into_iter().filter_map(|seen| text(seen, "cmiuuid")).collect();
    must(legs_a.len() <= 1, "there is one leg a");
    let leg_a = legs_a.first().cloned();
    let conversation = seen.iter().find_map(|seen| text(seen, "conversation_uuid"));
    let request = seen.iter().find_map(|seen| text(seen, "request_id"));
    let outbound = story.direction == CallDirection::Outbound;
    if let (Some(conversation), Some(leg_a)) = (&conversation, &leg_a) {
        if outbound && call.profile != Profile::India {
            must(request.as_ref() == Some(conversation), "outbound: the conversation is the request");
        } else {
            must(conversation == leg_a, "the conversation is leg a");
        }
        must(outbound || request.is_none(), "no request on an inbound call");
    }

    let is_stream = |event: &LiveEvent| {
        let status = event.status.as_ref().unwrap();
        matches!(
            status.kind(),
            StatusKind::StreamConnected | StatusKind::StreamDisconnected | StatusKind::StreamError
        )
    };
    for one in &seen {
        let direction = text(one, "direction").unwrap();
        let leg = text(one, "leg").unwrap();
        if let Some(event) = live(one) {
            let time = event.time.unwrap().millis().unwrap();
            must(time == (epoch_ms + one.at_ms) as i64, "a live event is sent when it happens");
        }
        if live(one).is_some_and(|event| is_stream(&event)) {
            must(leg == "b", "a stream is told of as leg b");
            must(text(one, "cmiuuid") == leg_a || leg_a.is_none(), "a stream has leg a's cmiuuid");
            must(text(one, "conversation_uuid").is_none(), "a stream event names no conversation");
            must(direction == story.direction.as_str(), "a stream has the direction of its call");
            continue;
        }
        must(
            direction == if outbound || leg == "b" { "outbound" } else { "inbound" },
            "direction of the leg",
        );
        let same_leg = text(one, "cmiuuid") == leg_a;
        if leg_a.is_some() && leg == "b" {
            must(same_leg != outbound, "leg b has leg a's cmiuuid on an inbound call, else its own");
        }
    }

    // Numbers: the account's is on the near end, and all legs of an inbound call name the same two.
    let ends: BTreeSet<_> = seen.iter().filter_map(|seen| text(seen, "from")).collect();
    must(ends.len() <= 1, "all webhooks agree on the caller");
    if !outbound {
        let to: BTreeSet<_> = seen.iter().filter_map(|seen| text(seen, "to")).collect();
        must(to.len() <= 1, "all webhooks of an inbound call agree on the called number");
    }
    for key in ["callerid", "vn"] {
        if let (Some(shown), Some(from)) = (seen.iter().find_map(|seen| text(seen, key)), ends.first()) {
            let national = shown.strip_prefix('0').unwrap_or(&shown);
            must(from.ends_with(national), "an outbound call shows the number that it comes from");
        }
    }

    check_order(&seen, outbound, whole, &must);
    let balances = check_records(&seen, call.profile, epoch_ms, outbound, whole, &must);
    check_fold(&seen, story, whole, &must);
    balances
}

/// When it was sent, what it says, and as what.
type Happened = (u64, StatusKind<'static>, Kind);

/// The order of what happens on each leg.
fn check_order(seen: &[Seen], outbound: bool, whole: bool, must: &dyn Fn(bool, &str)) {
    let mut legs: BTreeMap<(String, String), Vec<Happened>> = BTreeMap::new();
    for one in seen {
        let key = (
            one.webhook.text("leg").unwrap().into_owned(),
            one.webhook.text("cmiuuid").unwrap().into_owned(),
        );
        let status = piopiy_events::Status::new(&one.webhook.text("status").unwrap());
        let kind = match status.kind() {
            StatusKind::Other(text) => panic!("{text} is no documented status"),
            StatusKind::Started => StatusKind::Started,
            StatusKind::Ringing => StatusKind::Ringing,
            StatusKind::Answered => StatusKind::Answered,
            StatusKind::Bridged => StatusKind::Bridged,
            StatusKind::Hangup => StatusKind::Hangup,
            StatusKind::StreamConnected => StatusKind::StreamConnected,
            StatusKind::StreamDisconnected => StatusKind::StreamDisconnected,
            StatusKind::StreamError => StatusKind::StreamError,
            StatusKind::Missed => StatusKind::Missed,
            _ => panic!("a new status"),
        };
        legs.entry(key).or_default().push((one.at_ms, kind, one.webhook.kind().unwrap()));
    }
    for ((leg, _), happened) in &legs {
        let at = |kind: StatusKind<'static>| {
            happened
                .iter()
                .filter(move |(_, status, sort)| *status == kind && *sort == Kind::LiveEvent)
                .map(|(at, ..)| *at)
        };
        let first = |kind| at(kind).next();
        let picked_up = first(StatusKind::Answered).or(first(StatusKind::Bridged));
        let hangup = first(StatusKind::Hangup);
        let record = happened.iter().find(|(.., sort)| *sort == Kind::Cdr);
        for kind in [StatusKind::Hangup, StatusKind::Answered, StatusKind::Bridged] {
            must(at(kind).count() <= 1, "a leg is picked up and hung up once");
        }
        must(
            happened.iter().filter(|(.., sort)| *sort == Kind::Cdr).count() <= 1,
            "a leg has one CDR, however often it was dialled",
        );
        if outbound {
            must(
                at(StatusKind::Started).count() <= 1,
                "each attempt of an outbound call is a leg of its own",
            );
        }
        if let (Some(started), Some(ringing)) = (first(StatusKind::Started), first(StatusKind::Ringing)) {
            must(started < ringing, "a leg rings after it was started");
        }
        for before in [StatusKind::Started, StatusKind::Ringing] {
            if let Some(picked_up) = picked_up {
                must(at(before).all(|at| at < picked_up), "a leg is picked up after it was dialled");
            }
        }
        if let (Some(picked_up), Some(hangup)) = (picked_up, hangup) {
            must(picked_up < hangup, "a leg is hung up after it was picked up");
        }
        if let (Some(hangup), Some((at, ..))) = (hangup, record) {
            must(hangup <= *at, "a CDR is sent when the leg is over");
        }
        if let (Some(picked_up), true) = (picked_up, whole) {
            must(hangup.is_some(), "what was picked up is hung up");
            must(
                picked_up > 0 && record.is_some_and(|(_, status, _)| *status == StatusKind::Answered),
                "and answered",
            );
        }
        if let Some((_, StatusKind::Missed, _)) = record {
            must(hangup.is_none() && picked_up.is_none(), "a missed leg was not picked up");
        }
        // Streams: connected and disconnected in turn.
        let connected: Vec<u64> = at(StatusKind::StreamConnected).collect();
        let disconnected: Vec<u64> = at(StatusKind::StreamDisconnected).collect();
        if whole {
            must(connected.len() == disconnected.len(), "every stream is closed");
            let turns = connected.iter().zip(&disconnected).all(|(open, close)| open < close);
            let apart = disconnected.iter().zip(connected.iter().skip(1)).all(|(close, open)| close < open);
            must(turns && apart, "streams follow each other");
            must(leg == "b" || connected.is_empty(), "streams are on leg b");
        }
    }
}

/// What CDRs say, and whether it is what happened.
fn check_records(
    seen: &[Seen],
    profile: Profile,
    epoch_ms: u64,
    outbound: bool,
    whole: bool,
    must: &dyn Fn(bool, &str),
) -> Vec<i64> {
    let seconds =
        |value: &Option<piopiy_events::EpochSeconds>| value.as_ref().map(|value| value.seconds().unwrap());
    let records: Vec<(u64, &Cdr)> =
        seen.iter().filter_map(|seen| Some((seen.at_ms, seen.webhook.as_cdr()?))).collect();
    let leg_a = records.iter().map(|(_, cdr)| *cdr).find(|cdr| cdr.leg.as_ref().unwrap().text() == "a");
    let mut balances: Vec<i64> = Vec::new();
    for (sent_at, cdr) in &records {
        let answered = cdr.status.as_ref().unwrap().text() == "answered";
        let duration = cdr.duration.as_ref().unwrap().seconds().unwrap();
        let time = cdr.time.as_ref().unwrap().millis().unwrap();
        let (start, answer, end) =
            (seconds(&cdr.start_time), seconds(&cdr.answer_time), seconds(&cdr.end_time));
        must(answered || duration == 0, "a missed leg has no duration");
        if profile != Profile::India {
            let (start, end) = (start.unwrap(), end.unwrap());
            must(start == time / 1_000, "start_time is time in seconds");
            must(start <= end, "a leg ends after it starts");
            must(end * 1_000 <= (epoch_ms + sent_at) as i64, "a CDR is sent after the leg's end");
            must(answer.is_some() == answered, "answer_time where it was answered");
            let rate = cdr.call_rate.as_ref().unwrap().millionths().unwrap();
            must(answered || rate == 0, "what was missed costs nothing");
            if let Some(answer) = answer {
                must(start <= answer && duration == end - answer, "duration is from answer to end");
                must(rate == (duration * 12_000 + 59) / 60, "the rate is the price of the duration");
            }
            let balance = cdr.balance.as_ref().unwrap().millionths().unwrap();
            if let Some(before) = balances.last() {
                must(before - balance >= rate, "a CDR's price is taken from the balance");
            }
            balances.push(balance);
            if let Some(leg_a) = leg_a.filter(|_| !outbound) {
                must(
                    seconds(&leg_a.start_time) == Some(start) && seconds(&leg_a.end_time) == Some(end),
                    "inbound legs share start and end",
                );
            }
        }
        if let Some(leg_a) = leg_a.filter(|_| !outbound) {
            must(cdr.time == leg_a.time, "inbound legs share their time");
        }
        // What the events of the same leg say.
        let event = |kinds: &[StatusKind<'static>]| {
            seen.iter().filter_map(|seen| seen.webhook.as_live_event()).find(|event| {
                event.cmiuuid == cdr.cmiuuid
                    && event.leg == cdr.leg
                    && kinds.contains(&event.status.as_ref().unwrap().kind())
            })
        };
        let millis = |event: &LiveEvent| event.time.as_ref().unwrap().millis().unwrap();
        let picked_up = event(&[StatusKind::Answered, StatusKind::Bridged]);
        if whole {
            must(picked_up.is_some() == answered, "the CDR says answered where the events do");
        }
        if let (Some(picked_up), Some(answer)) = (picked_up, answer) {
            must(millis(picked_up) / 1_000 == answer, "answer_time is when it was picked up");
        }
        let own_end = outbound || leg_a.is_none_or(|leg_a| leg_a.leg == cdr.leg);
        if let (Some(hangup), Some(end), true) = (event(&[StatusKind::Hangup]), end, own_end) {
            must(millis(hangup) / 1_000 == end, "end_time is when it was hung up");
            if let (Some(picked_up), None) = (picked_up, cdr.call_rate.as_ref()) {
                must(millis(hangup) / 1_000 - millis(picked_up) / 1_000 == duration, "duration is the talk");
            }
        }
        if let (Some(started), true) = (event(&[StatusKind::Started]), outbound) {
            must(millis(started) == time, "time is when the leg was started");
        }
    }
    balances
}

/// Whatever the order and the repeats, the fold ends where the story does.
fn check_fold(seen: &[Seen], story: Story, whole: bool, must: &dyn Fn(bool, &str)) {
    let fold = |order: &mut dyn Iterator<Item = &Seen>| {
        let mut state = CallState::default();
        for one in order {
            state.apply(&one.webhook);
        }
        state.phase()
    };
    let phase = fold(&mut seen.iter());
    // A seeded shuffle with every second webhook twice.
    let mut shuffled: Vec<&Seen> = seen.iter().chain(seen.iter().step_by(2)).collect();
    let mut state = seen.iter().map(|seen| seen.at_ms).sum::<u64>() | 1;
    for n in (1..shuffled.len()).rev() {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        shuffled.swap(n, (state >> 33) as usize % (n + 1));
    }
    must(fold(&mut shuffled.into_iter()) == phase, "order and repeats change nothing");
    must(fold(&mut seen.iter().rev()) == phase, "nor does the reverse order");
    if whole {
        let expected = if story.answered { Phase::EndedAnswered } else { Phase::EndedMissed };
        must(phase == expected, &format!("the call ends as {expected}, not as {phase}"));
    }
}
