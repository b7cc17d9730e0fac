//! How values that are not serde's own are written: modules for `#[serde(with = …)]`.

/// 64 bits as `0x…`.
pub(crate) mod hex_u64 {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
    pub(crate) fn serialize<S: Serializer>(value: &u64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{value:#x}"))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
        let text = String::deserialize(deserializer)?;
        let digits = text.strip_prefix("0x").ok_or_else(|| D::Error::custom("expected 0x…"))?;
        // What the standard library reads may have a sign.
        if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(D::Error::custom(format_args!("{text:?} is not hexadecimal")));
        }
        u64::from_str_radix(digits, 16).map_err(D::Error::custom)
    }
}

pub(super) mod hex_bytes {
    use std::fmt::Write;

    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    use crate::plan::file::bytes_of;

    pub(in crate::deliver::ledger) fn serialize<S: Serializer>(
        bytes: &[u8],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let mut text = String::with_capacity(bytes.len() * 2);
        for byte in bytes {
            // Writing to a String cannot fail.
            let _ = write!(text, "{byte:02x}");
        }
        serializer.serialize_str(&text)
    }

    pub(in crate::deliver::ledger) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(deserializer)?;
        bytes_of(&text).ok_or_else(|| D::Error::custom("it is not hexadecimal, two digits for each byte"))
    }
}

pub(super) mod profile {
    use piopiy_events::Profile;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
    pub(in crate::deliver::ledger) fn serialize<S: Serializer>(
        profile: &Profile,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(profile.as_str())
    }

    pub(in crate::deliver::ledger) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Profile, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

pub(super) mod payload {
    use piopiy_events::Kind;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    #[expect(clippy::ref_option, reason = "serde's signature")]
    pub(in crate::deliver::ledger) fn serialize<S: Serializer>(
        kind: &Option<Kind>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match kind {
            Some(kind) => serializer.serialize_str(kind.as_str()),
            None => serializer.serialize_none(),
        }
    }

    pub(in crate::deliver::ledger) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Kind>, D::Error> {
        match Option::<String>::deserialize(deserializer)?.as_deref() {
            None => Ok(None),
            Some("event") => Ok(Some(Kind::LiveEvent)),
            Some("cdr") => Ok(Some(Kind::Cdr)),
            Some(other) => Err(D::Error::custom(format_args!("expected event or cdr, not {other:?}"))),
        }
    }
}

pub(super) mod evidence {
    use piopiy_events::Evidence;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
    pub(in crate::deliver::ledger) fn serialize<S: Serializer>(
        evidence: &Evidence,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(evidence.as_str())
    }

    pub(in crate::deliver::ledger) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Evidence, D::Error> {
        let name = String::deserialize(deserializer)?;
        [Evidence::Documented, Evidence::Partial, Evidence::Guess]
            .into_iter()
            .find(|evidence| evidence.as_str() == name)
            .ok_or_else(|| D::Error::custom(format_args!("unknown evidence {name:?}")))
    }
}
