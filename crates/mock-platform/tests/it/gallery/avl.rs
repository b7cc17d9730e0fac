use super::Group;

pub(super) const GROUP: Group = Group { ..Group::NONE };
