//! What an action may say and nothing here follows from.

use piopiy_events::pcmo::{Action, Connect, Endpoint, Recording};
use piopiy_events::{OpenObject as _, PhoneNumber};

/// The keys of an action that change nothing; `account` is the number that is shown anyway.
pub(super) fn idle_keys(action: &Action, account: u64) -> Vec<&'static str> {
    let account = account.to_string();
    let is_other = |number: Option<&PhoneNumber>| {
        number.is_some_and(|number| number.digits().as_deref() != Some(account.as_str()))
    };
    let of = |given: &[(&'static str, bool)]| -> Vec<&'static str> {
        given.iter().filter(|(_, is_given)| *is_given).map(|(key, _)| *key).collect()
    };
    match action {
        Action::Bridge(bridge) => of(&[("from", is_other(bridge.from.as_ref()))]),
        Action::Connect(connect) => of(&of_connect(connect, is_other)),
        Action::Record(record) => of(&[
            ("format", record.get("format").is_some_and(|format| format.plain() != "wav")),
            ("channels", record.get("channels").is_some_and(|channels| channels.plain() != "dual")),
        ]),
        _ => Vec::new(),
    }
}

fn of_connect(
    connect: &Connect,
    is_other: impl Fn(Option<&PhoneNumber>) -> bool,
) -> [(&'static str, bool); 8] {
    let params = connect.params.as_ref().and_then(|params| params.get().ok()).unwrap_or_default();
    let options = params.options.as_ref().and_then(|options| options.get().ok()).unwrap_or_default();
    let recording: Recording =
        options.recording.as_ref().and_then(|recording| recording.get().ok()).unwrap_or_default();
    let list = connect.endpoints.as_ref().or_else(|| connect.users());
    let endpoints: Vec<Endpoint> = list.and_then(|list| list.get().ok()).unwrap_or_default();
    [
        ("from", is_other(connect.from.as_ref())),
        ("caller_id", is_other(params.caller_id.as_ref())),
        ("metadata", params.metadata.is_some()),
        ("machine_detection", options.machine_detection.is_some()),
        ("waiting_music", options.waiting_music.is_some()),
        ("format", recording.format.is_some_and(|format| format.text() != "wav")),
        ("channels", recording.channels.is_some_and(|channels| channels.text() != "dual")),
        ("headers", endpoints.iter().any(|endpoint| endpoint.headers.is_some())),
    ]
}
