use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use piopiy_events::{CallDirection, Profile, Webhook};

use super::{Case, Count, Form, Payload, PayloadId, Request, Signature, SigningKey, Time};
use crate::plan::{Nonce, PlanOptions, PlannedCall, Seed, Simulator, SingleOptions, single};

/// What all stimuli of a run follow from.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Sources {
    /// The revision of the wire.
    pub profile: Profile,
    /// What values follow from.
    pub seed: Seed,
    /// What ids follow from, with the seed.
    pub nonce: Nonce,
    /// `Host`, as a client would send it.
    pub host: String,
    /// Path and query.
    pub target: String,
    /// Further header lines of every request, such as credentials.
    pub headers: Vec<(String, String)>,
    /// What the receiver claims to have, as `name` or `name=value`.
    pub capabilities: BTreeSet<String>,
    /// Whether other ports of the receiver's host may be spoken to.
    pub has_all_ports: bool,
    /// Every address that the receiver's name has.
    pub addresses: Vec<IpAddr>,
    /// What every webhook is signed with, if they are.
    pub signing_key: Option<SigningKey>,
    /// When they are signed, in seconds since 1970.
    pub now_s: u64,
    /// How long a receiver may put up with a connection that gets nowhere; the long waits are measured in it.
    pub slow_limit: Duration,
    /// How long a receiver may take to listen.
    pub start_limit: Duration,
    /// How time passes at the receiver, where a check wants it to.
    pub time: Time,
    /// Different webhooks that a store for duplicates is filled with.
    pub unique_ids: u32,
}

impl Sources {
    /// Sources for a receiver at `host` and `target`.
    #[must_use]
    pub fn new(profile: Profile, seed: Seed, nonce: Nonce, host: &str, target: &str) -> Self {
        let (host, target) = (host.to_owned(), target.to_owned());
        let (headers, capabilities) = (Vec::new(), BTreeSet::new());
        Self {
            profile,
            seed,
            nonce,
            host,
            target,
            headers,
            capabilities,
            has_all_ports: true,
            addresses: vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()],
            signing_key: None,
            now_s: 1_767_225_600,
            slow_limit: Duration::from_secs(60),
            start_limit: Duration::from_secs(30),
            time: Time::Stands,
            unique_ids: 1_000_000,
        }
    }
}

/// Makes the payloads and requests of one check. The same sources, check and attempt give the same bytes; no two
/// payloads share an id.
#[derive(Debug)]
pub(crate) struct Composer {
    pub(crate) sources: Sources,
    key: u64,
    made: u32,
}

impl Composer {
    /// For the given check; a confirmation is another `attempt`.
    pub(crate) fn new(check: &str, attempt: u32, sources: Sources) -> Self {
        let mut key = FNV_OFFSET;
        for byte in check.bytes().chain(attempt.to_le_bytes()) {
            key = (key ^ u64::from(byte)).wrapping_mul(FNV_PRIME);
        }
        Self { sources, key, made: 0 }
    }

    /// A number that is the check's own.
    pub(crate) fn key(&self) -> u64 {
        self.key
    }

    /// A fresh payload by its name, as `piopiy-mock events` lists them.
    pub(crate) fn payload(&mut self, name: &str) -> Payload {
        self.payload_of(name, None, None)
    }

    /// A fresh payload of a leg, of a call in a direction.
    ///
    /// # Panics
    /// If the profile has no such event: names are written in checks. See [`Composer::has`].
    pub(crate) fn payload_of(
        &mut self,
        name: &str,
        leg: Option<&str>,
        direction: Option<CallDirection>,
    ) -> Payload {
        let (n, nonce) = self.next();
        let mut options = SingleOptions { nonce, ..SingleOptions::default() };
        options.seed = Seed(self.sources.seed.0.wrapping_add(u64::from(n)));
        // Each at a second of its own.
        options.now_ms += u64::from(n) * 1_000;
        (options.leg, options.direction) = (leg.map(str::to_owned), direction);
        match single(name, self.sources.profile, &options) {
            Ok(webhook) => Self::wrap(n, webhook.body),
            Err(error) => panic!("{error}"),
        }
    }

    /// The plainest webhook there is: the CDR of a missed call.
    pub(crate) fn cdr(&mut self) -> Payload {
        self.payload("cdr.inbound.missed")
    }

    /// A live event that every profile has in its own words: a call has begun.
    pub(crate) fn live(&mut self) -> Payload {
        let name = if self.has("live.out_started") { "live.out_started" } else { "live.started" };
        self.payload(name)
    }

    /// One of each kind that receivers have code of their own for, by a name for people: CDRs of both outcomes and legs,
    /// and live events.
    pub(crate) fn kinds(&mut self) -> [(&'static str, Payload); 5] {
        let leg_b = self.payload_of("cdr.inbound.missed", Some("b"), Some(CallDirection::Inbound));
        [
            ("a CDR", self.cdr()),
            ("a live event", self.payload("live.stream_connected")),
            ("the CDR of an answered call", self.payload("cdr.inbound.answered")),
            ("the CDR of a leg b", leg_b),
            ("the start of a call", self.live()),
        ]
    }

    /// One of every form that the profile has, of each leg, by a name for people; CDRs first.
    pub(crate) fn forms(&mut self) -> Vec<(String, Payload)> {
        let forms = piopiy_events::Form::all(self.sources.profile);
        let legs = forms.iter().flat_map(|form| form.legs.iter().map(move |leg| (form, *leg)));
        let one = |(form, leg): (&piopiy_events::Form, &str)| {
            let name = format!("{} of leg {leg} of an {} call", form.name, form.call.as_str());
            (name, self.payload_of(form.name, Some(leg), Some(form.call)))
        };
        let mut all: Vec<_> = legs.map(one).collect();
        all.sort_by_key(|(_, payload)| !payload.is_cdr());
        all
    }

    /// Two cases, a CDR and a live event that are changed the same way. A receiver may have no use for the event.
    pub(crate) fn both(
        &mut self,
        name: impl Into<String>,
        count: Count,
        change: impl Fn(Payload) -> Payload,
    ) -> [Case; 2] {
        let name = name.into();
        let (cdr, event) = (change(self.cdr()), change(self.live()));
        let of_event = Case::new(format!("{name}, of a live event")).send(&self.post(&event));
        let of_cdr = Case::new(name).send(&self.post(&cdr));
        [of_cdr.expect(&cdr, count), of_event.expect(&event, count.of_event())]
    }

    /// Whether the profile has an event.
    pub(crate) fn has(&self, name: &str) -> bool {
        piopiy_events::Form::named(self.sources.profile, name).next().is_some()
    }

    /// A fresh payload with these very bytes, in which `{cmiuuid}` stands for a fresh id.
    pub(crate) fn raw(&mut self, bytes: &[u8]) -> Payload {
        let mut payload = self.cdr();
        let marker = b"{cmiuuid}";
        payload.bytes = bytes.to_vec();
        while payload.bytes.windows(marker.len()).any(|window| window == marker) {
            let id = payload.cmiuuid.clone();
            payload = payload.replacing(marker, id.as_bytes());
        }
        payload
    }

    /// A sample of the platform's documentation, literally but for its ids, which are fresh.
    pub(crate) fn sample(&mut self, bytes: &[u8]) -> Payload {
        let (n, nonce) = self.next();
        self.of_own_app(Self::wrap(n, crate::deliver::rekey(bytes, nonce.0)))
    }

    /// Where the receiver takes webhooks of one app only, as one of that: the app that all others are of.
    pub(crate) fn of_own_app(&mut self, payload: Payload) -> Payload {
        if !self.sources.capabilities.contains("appid") {
            return payload;
        }
        let own = self.cdr().webhook().and_then(|webhook| Some(webhook.get("appid")?.as_json().to_owned()));
        let has = |payload: &Payload, key| payload.webhook().is_some_and(|it| it.get(key).is_some());
        ["appid", "app_id"].into_iter().fold(payload, |payload, key| match &own {
            Some(own) if has(&payload, key) => payload.with(key, own),
            _ => payload,
        })
    }

    /// A whole call of a built-in scenario, each webhook with the payload that it is sent as.
    ///
    /// # Panics
    /// If there is no such scenario: names are written in checks.
    pub(crate) fn call(&mut self, scenario: &str) -> (PlannedCall, Vec<Payload>) {
        self.call_at(scenario, u64::from(self.made))
    }

    /// The same call of a scenario at every time, but for its ids, which are fresh.
    ///
    /// # Panics
    /// If there is no such scenario.
    pub(crate) fn call_at(&mut self, scenario: &str, index: u64) -> (PlannedCall, Vec<Payload>) {
        let (_, nonce) = self.next();
        let mut options = PlanOptions::new(self.sources.profile, self.sources.seed);
        options.nonce = nonce;
        let simulator = Simulator::builtin(scenario, options).unwrap_or_else(|error| panic!("{error}"));
        let call = simulator.call(index);
        let payloads = call.webhooks.iter().map(|webhook| {
            let (n, _) = self.next();
            Self::wrap(n, webhook.body.clone())
        });
        let payloads = payloads.collect();
        (call, payloads)
    }

    /// The request that the platform would send it with.
    pub(crate) fn post(&self, payload: &Payload) -> Request {
        let sources = &self.sources;
        let mut request = Request::new("POST", &sources.target).header("Host", &sources.host);
        request = request
            .header("User-Agent", concat!("piopiy-mock/", env!("CARGO_PKG_VERSION")))
            .header("Content-Type", "application/json")
            .header("Accept", "*/*");
        for (name, value) in &sources.headers {
            request = request.header(name, value);
        }
        self.sign(request.payload(payload), payload)
    }

    /// Signs a request for a payload, where webhooks are signed.
    pub(crate) fn sign(&self, request: Request, payload: &Payload) -> Request {
        match &self.sources.signing_key {
            Some(key) => request.signed(self.signature(key, payload)),
            None => request,
        }
    }

    /// The same, signed in any case: where there is no key, with one that is nobody's, to show what is sent.
    pub(crate) fn signed(&self, payload: &Payload) -> Request {
        let key = self.sources.signing_key.clone().unwrap_or_else(SigningKey::stray);
        self.post(payload).signed(self.signature(&key, payload))
    }

    fn signature(&self, key: &SigningKey, payload: &Payload) -> Signature {
        let id = format!("msg_{:016x}{}", self.key ^ self.sources.nonce.0, payload.id.0);
        let now_s = self.sources.now_s;
        Signature { key: key.clone(), id, time_s: now_s, now_s, form: Form::One }
    }

    /// The value of a capability that is declared as `name=value`.
    pub(crate) fn capability(&self, name: &str) -> Option<&str> {
        let mut declared = self.sources.capabilities.iter().filter_map(|one| one.split_once('='));
        declared.find(|(declared, _)| *declared == name).map(|(_, value)| value)
    }

    fn next(&mut self) -> (u32, Nonce) {
        let n = self.made;
        self.made += 1;
        // Different for each check, attempt and payload: the key is multiplied, the rest added.
        (n, Nonce(self.sources.nonce.0 ^ self.key.wrapping_add(u64::from(n)).wrapping_mul(FNV_PRIME)))
    }

    fn wrap(n: u32, bytes: Vec<u8>) -> Payload {
        let webhook = Webhook::parse(&bytes).ok();
        let cmiuuid = webhook.and_then(|webhook| webhook.text("cmiuuid").map(|id| id.into_owned()));
        Payload { id: PayloadId(n), bytes, cmiuuid: cmiuuid.unwrap_or_default() }
    }
}

/// FNV-1a, 64 bits.
const FNV_OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
const FNV_PRIME: u64 = 0x0100_0000_01b3;

#[cfg(test)]
mod tests {
    use super::*;

    fn composer(check: &str, attempt: u32, nonce: u64) -> Composer {
        let sources = Sources::new(Profile::Global, Seed(1), Nonce(nonce), "127.0.0.1:5000", "/webhook/cdr");
        Composer::new(check, attempt, sources)
    }

    #[test]
    fn the_same_sources_give_the_same_bytes_and_others_give_other_ids() {
        let bytes = |check, attempt, nonce| {
            let mut composer = composer(check, attempt, nonce);
            let payload = composer.cdr();
            composer.post(&payload).bytes()
        };
        assert_eq!(bytes("TRN-001", 0, 7), bytes("TRN-001", 0, 7));
        let mut seen = BTreeSet::new();
        for check in ["TRN-001", "TRN-002", "DUP-001"] {
            for attempt in 0..3 {
                for nonce in 0..3 {
                    let mut composer = composer(check, attempt, nonce);
                    for _ in 0..20 {
                        assert!(seen.insert(composer.cdr().cmiuuid));
                    }
                    let (_, payloads) = composer.call("inbound-answered");
                    assert!(seen.insert(payloads[0].cmiuuid.clone()));
                }
            }
        }
    }
}
