//! Open objects: documented fields typed, everything else kept, order and all.

use std::fmt;

use crate::json::{Raw, escape, raw, scan};
use crate::{Limits, Member, ParseError};

/// What an object holds besides its documented fields: unknown members, and the order of all.
#[derive(Clone, Default)]
pub(crate) struct Rest {
    /// Which member stands where: the index of a documented field, or [`UNKNOWN`] for the next unknown one.
    pub(crate) order: Vec<u8>,
    pub(crate) unknown: Vec<(compact_str::CompactString, Raw)>,
}

/// Marks an unknown member in [`Rest::order`].
pub(crate) const UNKNOWN: u8 = u8::MAX;

impl Rest {
    pub(crate) fn push_unknown(&mut self, member: &Member<'_>) {
        self.order.push(UNKNOWN);
        self.unknown.push((compact_str::CompactString::new(member.key), Raw::from_token(member.value)));
    }
}

impl fmt::Debug for Rest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.unknown.iter().map(|(key, value)| (key, value))).finish()
    }
}

/// A documented field of an open object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Field {
    /// The key on the wire.
    pub key: &'static str,
    /// What it means, with its unit.
    pub doc: &'static str,
    /// The JSON that the type reads.
    pub shape: Shape,
}

/// The JSON that a documented field is read from. Other values are kept all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Shape {
    /// Any value.
    Any,
    /// A string.
    Text,
    /// A whole number.
    Integer,
    /// An amount: a number, or a string of one.
    Decimal,
    /// Digits: a whole number, or a string.
    Digits,
    /// `true` or `false`.
    Boolean,
    /// An object whose keys are the user's own.
    Map,
    /// An object with these fields.
    Object(&'static [Field]),
    /// An array of such values.
    List(&'static Self),
    /// A call-flow action, one of [`Action::DOCUMENTED`](crate::pcmo::Action::DOCUMENTED).
    Action,
    /// One such object, or an array of them.
    OneOrMany(&'static [Field]),
}

/// A value of a documented field: a [`Raw`] with a reading.
pub trait FieldValue: Clone + fmt::Debug + PartialEq {
    /// What its documented values look like.
    const SHAPE: Shape;

    /// Takes any JSON value: reading it may fail later, keeping it never does.
    fn from_raw(raw: Raw) -> Self;
    /// The value as it came.
    fn raw(&self) -> &Raw;
}

impl FieldValue for Raw {
    const SHAPE: Shape = Shape::Any;

    fn from_raw(raw: Raw) -> Self {
        raw
    }

    fn raw(&self) -> &Raw {
        self
    }
}

/// An object of the wire: documented fields typed, all others kept.
///
/// Written out again it holds the same members, value for value, in the same order. [`set`](Self::set) puts what was
/// not there at the end. A field that is assigned instead keeps the place it had when it was read; those that had none
/// come last, in the order of [`FIELDS`](Self::FIELDS). What is `None` is left out.
///
/// Keys are compared as text. A key with a lone surrogate is no text: it is kept, and reached through
/// [`members`](Self::members) only.
pub trait OpenObject: Sized + Default {
    /// The documented fields.
    const FIELDS: &'static [Field];

    /// Takes over members that were read from an object.
    #[doc(hidden)]
    fn from_members(members: &[Member<'_>]) -> Self;

    /// The documented field with index `index`, as it came.
    #[doc(hidden)]
    fn field(&self, index: usize) -> Option<&Raw>;

    /// Sets the documented field with index `index`.
    #[doc(hidden)]
    fn set_field(&mut self, index: usize, value: Option<Raw>);

    #[doc(hidden)]
    fn parts(&self) -> Parts<'_>;

    #[doc(hidden)]
    fn parts_mut(&mut self) -> PartsMut<'_>;

    /// Reads an object within the default [`Limits`].
    ///
    /// # Errors
    /// Where the input is not one JSON object within the limits.
    fn parse(input: &[u8]) -> Result<Self, ParseError> {
        scan::object(input, &Limits::default()).map(|members| Self::from_members(&members))
    }

    /// Calls `visit` with key (as it stands between the quotes) and value of each member, in order.
    #[doc(hidden)]
    fn visit(&self, visit: &mut dyn FnMut(&str, &Raw)) {
        let rest = self.parts().0;
        let mut written = 0_u64;
        let mut unknown = rest.unknown.iter();
        for &slot in &rest.order {
            if slot == UNKNOWN {
                if let Some((key, value)) = unknown.next() {
                    visit(key, value);
                }
            } else if let Some(value) = self.field(usize::from(slot)) {
                written |= 1 << slot;
                visit(Self::FIELDS[usize::from(slot)].key, value);
            }
        }
        for (key, value) in unknown {
            visit(key, value);
        }
        for (index, field) in Self::FIELDS.iter().enumerate() {
            if written & (1 << index) == 0
                && let Some(value) = self.field(index)
            {
                visit(field.key, value);
            }
        }
    }

    /// Gives the fields that were assigned the places in which they are written, so that more can follow.
    #[doc(hidden)]
    fn settle(&mut self) {
        for index in 0..Self::FIELDS.len() {
            let placed = self.parts().0.order.iter().any(|&slot| usize::from(slot) == index);
            if !placed && self.field(index).is_some() {
                self.parts_mut().0.order.push(index as u8);
            }
        }
    }

    /// The members in order, keys decoded.
    fn members(&self) -> Vec<(String, Raw)> {
        let mut members = Vec::new();
        self.visit(&mut |key, value| members.push((escape::decode(key).into_owned(), value.clone())));
        members
    }

    /// The value of the member `key`, documented or not.
    fn get(&self, key: &str) -> Option<&Raw> {
        if let Some(index) = Self::FIELDS.iter().position(|field| field.key == key) {
            return self.field(index);
        }
        let mut unknown = self.parts().0.unknown.iter();
        unknown.find(|(name, _)| escape::spells(name, key)).map(|(_, value)| value)
    }

    /// Sets the member `key`, documented or not; `None` removes it. A member that was there keeps its place, another
    /// goes to the end.
    fn set(&mut self, key: &str, value: Option<Raw>) {
        if let Some(index) = Self::FIELDS.iter().position(|field| field.key == key) {
            if self.field(index).is_none() || value.is_none() {
                self.parts_mut().0.order.retain(|&slot| usize::from(slot) != index);
                if value.is_some() {
                    self.settle();
                    self.parts_mut().0.order.push(index as u8);
                }
            }
            return self.set_field(index, value);
        }
        let rest = self.parts_mut().0;
        let at = rest.unknown.iter().position(|(name, _)| escape::spells(name, key));
        match (at, value) {
            (Some(at), Some(value)) => rest.unknown[at].1 = value,
            (Some(at), None) => {
                rest.unknown.remove(at);
                let mut slots = rest.order.iter().enumerate().filter(|(_, slot)| **slot == UNKNOWN);
                if let Some((slot, _)) = slots.nth(at) {
                    rest.order.remove(slot);
                }
            }
            (None, Some(value)) => {
                let mut quoted = String::new();
                escape::encode(key, &mut quoted);
                self.settle();
                let rest = self.parts_mut().0;
                rest.order.push(UNKNOWN);
                rest.unknown.push((quoted[1..quoted.len() - 1].into(), value));
            }
            (None, None) => {}
        }
    }

    /// The members that are not documented, keys decoded, in order.
    fn unknown(&self) -> impl Iterator<Item = (std::borrow::Cow<'_, str>, &Raw)> {
        self.parts().0.unknown.iter().map(|(key, value)| (escape::decode(key), value))
    }

    /// Appends the object as compact JSON.
    fn write_json(&self, out: &mut String) {
        out.push('{');
        let mut first = true;
        self.visit(&mut |key, value| {
            out.push_str(if first { "\"" } else { ",\"" });
            first = false;
            out.push_str(key);
            out.push_str("\":");
            out.push_str(value.as_json());
        });
        out.push('}');
    }

    /// The object as compact JSON.
    fn to_json(&self) -> String {
        let mut out = String::with_capacity(512);
        self.write_json(&mut out);
        out
    }
}

/// Hides [`Rest`] in a public trait.
#[doc(hidden)]
#[expect(missing_debug_implementations, reason = "never seen")]
pub struct Parts<'a>(pub(crate) &'a Rest);

/// Hides [`Rest`] in a public trait.
#[doc(hidden)]
#[expect(missing_debug_implementations, reason = "never seen")]
pub struct PartsMut<'a>(pub(crate) &'a mut Rest);

pub(crate) fn serialize<T: OpenObject, S: serde::Serializer>(
    object: &T,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    raw::serialize_json(object.to_json(), serializer)
}

pub(crate) fn deserialize<'de, T: OpenObject, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    raw::deserialize_json(deserializer, |json, limits| {
        scan::object(json, limits).map(|members| T::from_members(&members))
    })
}

/// Declares an open object: a struct of optional, documented fields that keeps what it does not know.
macro_rules! open_object {
    (
        $(#[$meta:meta])*
        pub struct $name:ident {
            $( $(#[doc = $doc:literal])+ $field:ident: $type:ty = $key:literal, )*
        }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Default)]
        #[non_exhaustive]
        pub struct $name {
            $( $(#[doc = $doc])+ pub $field: Option<$type>, )*
            pub(crate) rest: crate::open::Rest,
        }

        const _: () = {
            use crate::open::{Field, FieldValue, OpenObject, Parts, PartsMut};
            use crate::{Member, Raw};

            #[expect(non_camel_case_types, reason = "named like the fields")]
            #[repr(u8)]
            enum Index { $($field),* }

            impl OpenObject for $name {
                const FIELDS: &'static [Field] = &[
                    $(Field { key: $key, doc: concat!($($doc),+), shape: <$type as FieldValue>::SHAPE }),*
                ];

                fn from_members(members: &[Member<'_>]) -> Self {
                    let mut object = Self::default();
                    object.rest.order.reserve_exact(members.len());
                    for member in members {
                        let key = crate::json::escape::decode(member.key);
                        match &*key {
                            $($key => {
                                object.$field = Some(<$type as FieldValue>::from_raw(Raw::from_token(member.value)));
                                object.rest.order.push(Index::$field as u8);
                            })*
                            _ => object.rest.push_unknown(member),
                        }
                    }
                    object
                }

                fn field(&self, index: usize) -> Option<&Raw> {
                    $(if index == Index::$field as usize {
                        return self.$field.as_ref().map(FieldValue::raw);
                    })*
                    None
                }

                fn set_field(&mut self, index: usize, value: Option<Raw>) {
                    $(if index == Index::$field as usize {
                        self.$field = value.map(<$type as FieldValue>::from_raw);
                        return;
                    })*
                    let _ = value;
                }

                fn parts(&self) -> Parts<'_> {
                    Parts(&self.rest)
                }

                fn parts_mut(&mut self) -> PartsMut<'_> {
                    PartsMut(&mut self.rest)
                }
            }

            /// Equal where the members are, in the same order.
            impl PartialEq for $name {
                fn eq(&self, other: &Self) -> bool {
                    self.to_json() == other.to_json()
                }
            }

            impl Eq for $name {}

            impl serde::Serialize for $name {
                fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                    crate::open::serialize(self, serializer)
                }
            }

            impl<'de> serde::Deserialize<'de> for $name {
                fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                    crate::open::deserialize(deserializer)
                }
            }
        };
    };
}

pub(crate) use open_object;
