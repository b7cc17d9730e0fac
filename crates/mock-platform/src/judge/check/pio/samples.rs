//! What the pages show, literally.

use crate::judge::check::{Case, Check, Composer, Count, Fixes, Payload, Severity, criteria};

const AS_SHOWN: Fixes = Fixes {
    axum: "Read into `serde_json::Value`, or a struct whose fields are optional and take a number or a string.",
    express: "Use `req.body` as it is; a schema has to pass every sample of the documentation.",
    flask: "Use `request.get_json()` as it is; a pydantic model has to pass every sample of the documentation.",
};

macro_rules! samples {
    ($($path:literal,)+) => {
        [$(($path, include_bytes!(concat!("../../../../fixtures/wire/", $path, ".json")).as_slice()),)+]
    };
}

/// The webhooks that the pages show whole, of all revisions.
const SAMPLES: [(&str, &[u8]); 19] = samples![
    "global/inbound-webhooks-missed--leg-a",
    "global/outbound-webhooks-missed--leg-a",
    "global/live-in-answered--leg-a",
    "global/live-out-started--leg-a",
    "global/live-out-started--leg-b",
    "global/live-out-answered--leg-a",
    "global/live-out-answered--leg-b",
    "global/live-stream-connected--leg-b",
    "global/live-stream-disconnected--leg-b",
    "global-2022/inbound-webhooks-missed--leg-a",
    "global-2022/inbound-webhooks-answered--leg-a",
    "global-2022/outbound-webhooks-missed--leg-a",
    "global-2022/live-in-hangup--leg-a",
    "india/inbound-webhooks-hangup--leg-a",
    "india/inbound-webhooks-answered--leg-a",
    "india/outbound-webhooks-answered--leg-a",
    "india/live-in-hangup--leg-a",
    "india/live-out-started--leg-a",
    "india/live-out-ringing--leg-a",
];

pub(super) const PIO_001: Check = Check {
    id: "PIO-001",
    title: "every sample of the documentation, with fresh ids",
    source: "piopiy docs: CDR and live event pages, global of 2022 and 2024, and India",
    why: "A receiver that refuses what the documentation itself shows refuses what the platform sends.",
    fixes: AS_SHOWN,
    stimulus: documented,
    judge: criteria::acknowledged,
    ..Check::BASE
};

pub(super) const PIO_012: Check = Check {
    id: "PIO-012",
    title: "members of the sister product CHUB",
    severity: Severity::Should,
    source: "piopiy docs: CHUB, incoming and outgoing CDR",
    why: "Both products share their webhooks; members move from one to the other without notice.",
    fixes: AS_SHOWN,
    stimulus: |composer| {
        let members = [
            ("virtual_number", "440000000000"),
            ("waitedsec", "12"),
            ("hangup_reason", "\"NORMAL_CLEARING\""),
            ("voicemail", "false"),
            ("record", "\"true\""),
            ("filename", "\"call.mp3\""),
        ];
        let with = |webhook: Payload, members: &[(&str, &str)]| {
            members.iter().fold(webhook, |webhook, (key, value)| webhook.with(key, value))
        };
        let each = members.chunks(1).map(|member| (member[0].0, member)).chain([("all", &members[..])]);
        each.flat_map(|(name, some)| composer.both(name, Count::Once, |webhook| with(webhook, some)))
            .collect()
    },
    judge: criteria::acknowledged,
    ..Check::BASE
};

fn documented(composer: &mut Composer) -> Vec<Case> {
    let cases = SAMPLES.map(|(path, bytes)| {
        let sample = composer.sample(bytes);
        Case::new(path).send(&composer.post(&sample)).expect(&sample, Count::Once)
    });
    cases.into()
}
