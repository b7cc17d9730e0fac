use super::Group;

pub(super) const GROUP: Group = Group {
    flaws: &[("acknowledges-any-json", "JSN-006"), ("decodes-lossily", "JSN-012")],
    body: |flaw, body| match flaw {
        "decodes-lossily" => String::from_utf8_lossy(&body).into_owned().into_bytes(),
        _ => body,
    },
    ..Group::NONE
};
