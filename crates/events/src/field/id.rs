use super::string_value;

string_value! {
    /// `cmiuuid`: the UUID of one leg. On an inbound call, leg b has been seen with leg a's.
    LegId
}
string_value! {
    /// `conversation_uuid`: what the legs of one conversation share. Inbound: leg a's `cmiuuid` (once a version 1
    /// UUID of its own); outbound, global: the `request_id`; outbound, India: leg a's `cmiuuid`.
    ConversationId
}
string_value! {
    /// `request_id`: 43 characters `[0-9A-Za-z]`, the id that the make-call API returned.
    RequestId
}
