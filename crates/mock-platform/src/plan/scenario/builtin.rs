macro_rules! scenarios {
    ($($name:literal)*) => {
        const BUILTIN: &[(&str, &str)] = &[
            $(($name, include_str!(concat!("../../../fixtures/scenarios/", $name, ".toml"))),)*
        ];
    };
}

scenarios! {
    "default" "busy-hour"
    "inbound-answered" "inbound-missed" "inbound-abandoned" "inbound-bridged" "inbound-group-loop" "inbound-streamed"
    "outbound-answered" "outbound-missed" "outbound-bridged" "outbound-streamed"
    "stream-error"
}

pub(super) fn text(name: &str) -> Option<&'static str> {
    BUILTIN.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
}

pub(super) fn names() -> impl Iterator<Item = &'static str> {
    BUILTIN.iter().map(|(name, _)| *name)
}
