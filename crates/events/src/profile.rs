use std::fmt;
use std::str::FromStr;

/// One documented revision of the wire.
///
/// # Examples
/// ```
/// use piopiy_events::Profile;
/// assert_eq!("global-2022".parse(), Ok(Profile::Global2022));
/// assert_eq!(Profile::default().as_str(), "global");
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Profile {
    /// `doc.telecmi.com/piopiy/docs` of 2024: no `type`, statuses with a prefix, billing fields.
    #[default]
    Global,
    /// The same site in captures of 2021 and 2022: with `type`, bare statuses, billing fields.
    Global2022,
    /// `doc.telecmi.com/piopiy-india/docs`: with `type`, bare statuses, no billing fields.
    India,
}

impl Profile {
    /// All profiles.
    pub const ALL: [Self; 3] = [Self::Global, Self::Global2022, Self::India];

    /// The name: `global`, `global-2022`, `india`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Global => "global",
            Self::Global2022 => "global-2022",
            Self::India => "india",
        }
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A name that no [`Profile`] has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown profile {0:?}: it is one of global, global-2022, india")]
pub struct UnknownProfile(String);

impl FromStr for Profile {
    type Err = UnknownProfile;

    fn from_str(name: &str) -> Result<Self, UnknownProfile> {
        let found = Self::ALL.into_iter().find(|profile| profile.as_str() == name);
        found.ok_or_else(|| UnknownProfile(name.to_owned()))
    }
}
