use super::Group;

pub(super) const GROUP: Group = Group {
    flaws: &[
        ("conflict-for-repeats", "DUP-001"),
        ("stores-repeats", "DUP-001"),
        ("asks-then-inserts", "DUP-002"),
    ],
    ..Group::NONE
};
