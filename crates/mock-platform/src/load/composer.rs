use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use super::options::Rate;
use super::source::Due;
use crate::deliver::Target;
use crate::plan::{CallBuffer, Simulator, WrittenWebhook};

/// Writes requests: the head is the same but for its length.
pub(super) struct Composer {
    bodies: Bodies,
    head: Vec<u8>,
    /// How many of each form were sent.
    forms: Vec<(&'static str, u64)>,
    /// What was made ahead, and of which form it is.
    ready: Option<(Due, Option<&'static str>)>,
    /// Its request.
    prepared: Vec<u8>,
}

/// The payloads of webhooks.
pub(super) struct Bodies {
    simulator: Simulator,
    buffer: CallBuffer,
    /// The call in the buffer, and which of its webhooks where that is the only one.
    written: Option<(u64, Option<usize>)>,
    /// Whether each webhook is of another call than the last, as it is where calls keep their own timing.
    are_mixed: bool,
}

impl Composer {
    pub(super) fn new(simulator: &Simulator, rate: Rate, target: &Target) -> Self {
        let url = target.url();
        let path = &url[url::Position::BeforePath..url::Position::AfterQuery];
        let host = &url[url::Position::BeforeHost..url::Position::AfterPort];
        let mut head = format!("POST {path} HTTP/1.1\r\nHost: {host}\r\n");
        if !url.username().is_empty() || url.password().is_some() {
            let pair = format!("{}:{}", url.username(), url.password().unwrap_or_default());
            head.push_str(&format!("Authorization: Basic {}\r\n", BASE64_STANDARD.encode(pair)));
        }
        head.push_str(concat!("User-Agent: piopiy-mock/", env!("CARGO_PKG_VERSION"), "\r\n"));
        head.push_str("Content-Type: application/json\r\nContent-Length: ");
        Self {
            bodies: Bodies::new(simulator, rate),
            head: head.into_bytes(),
            forms: Vec::new(),
            ready: None,
            prepared: Vec::new(),
        }
    }

    /// How many webhooks of each form were sent.
    pub(super) fn forms(&self) -> impl Iterator<Item = (&'static str, u64)> {
        self.forms.iter().copied()
    }

    /// A webhook of that form was sent.
    pub(super) fn sent(&mut self, form: Option<&'static str>) {
        let Some(name) = form else { return };
        // There are some dozen, and they are where they were the last time.
        match self.forms.iter_mut().find(|(known, _)| std::ptr::eq(*known, name)) {
            Some((_, count)) => *count += 1,
            None => self.forms.push((name, 1)),
        }
    }

    /// Makes the request of a webhook while there is time: it is sent soon.
    pub(super) fn prepare(&mut self, due: Due) {
        if self.ready.is_none_or(|(ready, _)| ready != due) {
            let mut request = std::mem::take(&mut self.prepared);
            let form = self.compose(due, &mut request);
            (self.prepared, self.ready) = (request, Some((due, form)));
        }
    }

    /// Puts the request of a webhook in the place of what is there; of which form it is.
    pub(super) fn write(&mut self, due: Due, request: &mut Vec<u8>) -> Option<&'static str> {
        match self.ready {
            Some((ready, form)) if ready == due => {
                self.ready = None;
                std::mem::swap(request, &mut self.prepared);
                form
            }
            _ => self.compose(due, request),
        }
    }

    fn compose(&mut self, due: Due, request: &mut Vec<u8>) -> Option<&'static str> {
        let webhook = self.bodies.webhook(due);
        let body = webhook.map_or(&b""[..], |(_, body)| body);
        let form = webhook.map(|(written, _)| written.form.name);
        request.clear();
        request.extend_from_slice(&self.head);
        request.extend_from_slice(itoa::Buffer::new().format(body.len()).as_bytes());
        request.extend_from_slice(b"\r\n\r\n");
        request.extend_from_slice(body);
        form
    }
}

impl Bodies {
    pub(super) fn new(simulator: &Simulator, rate: Rate) -> Self {
        let are_mixed = matches!(rate, Rate::Calls(_) | Rate::Erlangs(_));
        Self { simulator: simulator.clone(), buffer: CallBuffer::default(), written: None, are_mixed }
    }

    pub(super) fn of(&mut self, due: Due) -> &[u8] {
        self.webhook(due).map_or(&b""[..], |(_, body)| body)
    }

    /// A call has the webhooks that were counted.
    fn webhook(&mut self, due: Due) -> Option<(&WrittenWebhook, &[u8])> {
        let webhook = due.webhook as usize;
        let wanted = (due.call, self.are_mixed.then_some(webhook));
        if self.written != Some(wanted) {
            let (call, only) = wanted;
            self.simulator.write_call_that_starts(call, due.starts_at_ms, only, &mut self.buffer);
            self.written = Some(wanted);
        }
        self.buffer.webhook(webhook)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::PlanOptions;

    #[test]
    fn a_webhook_by_itself_is_what_it_is_in_its_call() {
        let simulator = Simulator::builtin("default", PlanOptions::default()).unwrap();
        let (mut alone, mut whole) =
            (Bodies::new(&simulator, Rate::Calls(1.0)), Bodies::new(&simulator, Rate::Max));
        let mut compared = 0;
        for call in 0..500 {
            for webhook in 0.. {
                let due = Due { at_ns: 0, call, webhook, starts_at_ms: 997 * call, attempt: 0, marks: 0 };
                let expected = whole.of(due);
                if expected.is_empty() {
                    break;
                }
                assert_eq!(alone.of(due), expected, "{due:?}");
                compared += 1;
            }
        }
        assert!(compared > 500, "{compared}");
    }
}
