//! Values inside values: kept as they came, read when asked for.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;
use std::marker::PhantomData;

use super::{Text, field_value};
use crate::json::{JsonType, escape, scan};
use crate::{FieldValue, Limits, OpenObject, ParseError, Raw, Shape};

/// What a nested value can be read as: an open object, or an array of a type's own.
///
/// Only this crate's types implement it, so that what is written is JSON.
pub trait Document: sealed::Sealed + Sized + Clone + fmt::Debug + PartialEq {
    /// What the documented values look like.
    const SHAPE: Shape;

    /// Reads a JSON document; its size and nesting are not limited, because it was part of one that was.
    ///
    /// # Errors
    /// Where the value is of another JSON type. Pointer and offset count from the nested value.
    fn read(json: &str) -> Result<Self, ParseError>;

    /// Appends the value as JSON.
    fn write(&self, out: &mut String);
}

mod sealed {
    /// Only this crate can name it.
    pub trait Sealed {}

    impl<T: crate::OpenObject> Sealed for T {}
    impl Sealed for crate::Text {}
    impl Sealed for crate::Raw {}
    impl Sealed for crate::pcmo::Action {}
    impl Sealed for crate::pcmo::Pcmo {}
}

impl<T: OpenObject + Clone + fmt::Debug + PartialEq> Document for T {
    const SHAPE: Shape = Shape::Object(T::FIELDS);

    fn read(json: &str) -> Result<Self, ParseError> {
        scan::object(json.as_bytes(), &Limits::NONE).map(|members| Self::from_members(&members))
    }

    fn write(&self, out: &mut String) {
        self.write_json(out);
    }
}

impl Document for Text {
    const SHAPE: Shape = Shape::Text;

    fn read(json: &str) -> Result<Self, ParseError> {
        json.parse().map(Self::from_raw)
    }

    fn write(&self, out: &mut String) {
        out.push_str(self.as_json());
    }
}

impl Document for Raw {
    const SHAPE: Shape = Shape::Any;

    fn read(json: &str) -> Result<Self, ParseError> {
        json.parse()
    }

    fn write(&self, out: &mut String) {
        out.push_str(self.as_json());
    }
}

/// A value that is read as `T` when asked for.
///
/// # Examples
/// ```
/// use piopiy_events::{Count, Nested, pcmo::Dtmf};
///
/// let mut dtmf = Dtmf::default();
/// dtmf.max_digits = Some(Count::new(4));
/// let nested = Nested::new(&dtmf);
/// assert_eq!(nested.as_json(), r#"{"max_digits":4}"#);
/// assert_eq!(nested.get(), Ok(dtmf));
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Nested<T>(Raw, PhantomData<fn() -> T>);

/// An array whose elements are read as `T` when asked for.
///
/// # Examples
/// ```
/// use piopiy_events::{List, pcmo::Endpoint};
///
/// let list: List<Endpoint> = [Endpoint::pstn(440000000000)].into_iter().collect();
/// assert_eq!(list.as_json(), r#"[{"type":"pstn","number":440000000000}]"#);
/// assert_eq!(list.get().unwrap(), [Endpoint::pstn(440000000000)]);
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct List<T>(Raw, PhantomData<fn() -> T>);

/// One object, or an array of such: a `cdr` that was looked up is either.
#[derive(Clone, PartialEq, Eq)]
pub struct OneOrMany<T>(Raw, PhantomData<fn() -> T>);

field_value! {
    /// An object whose keys are the user's own, such as `variables` and `extra_params`.
    Map: Map
}

macro_rules! lazy {
    ($name:ident<$bound:ident>: $shape:expr) => {
        impl<T> $name<T> {
            /// The value as it came.
            #[must_use]
            pub fn as_json(&self) -> &str {
                self.0.as_json()
            }
        }

        impl<T> fmt::Debug for $name<T> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}", self.0)
            }
        }

        impl<T: $bound + Clone + fmt::Debug + PartialEq> FieldValue for $name<T> {
            const SHAPE: Shape = $shape;

            fn from_raw(raw: Raw) -> Self {
                Self(raw, PhantomData)
            }

            fn raw(&self) -> &Raw {
                &self.0
            }
        }
    };
}

lazy!(Nested<Document>: <T as Document>::SHAPE);
lazy!(List<Document>: Shape::List(&<T as Document>::SHAPE));
lazy!(OneOrMany<OpenObject>: Shape::OneOrMany(T::FIELDS));

impl<T: Document> Nested<T> {
    /// Holds `value`.
    #[must_use]
    pub fn new(value: &T) -> Self {
        let mut json = String::new();
        value.write(&mut json);
        Self(Raw::from_token(&json), PhantomData)
    }

    /// Reads the value.
    ///
    /// # Errors
    /// Where it is of another JSON type.
    pub fn get(&self) -> Result<T, ParseError> {
        T::read(self.0.as_json())
    }
}

impl<T: Document> From<T> for Nested<T> {
    fn from(value: T) -> Self {
        Self::new(&value)
    }
}

impl<T: Document> List<T> {
    /// Holds `items`.
    #[must_use]
    pub fn new(items: &[T]) -> Self {
        items.iter().cloned().collect()
    }

    /// Reads the elements.
    ///
    /// # Errors
    /// Where the value is no array, or an element of another JSON type.
    pub fn get(&self) -> Result<Vec<T>, ParseError> {
        let elements = scan::array(self.0.as_json().as_bytes(), &Limits::NONE)?;
        elements.into_iter().map(T::read).collect()
    }
}

impl<T: Document> FromIterator<T> for List<T> {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        let mut json = "[".to_owned();
        for item in items {
            if json.len() > 1 {
                json.push(',');
            }
            item.write(&mut json);
        }
        json.push(']');
        Self(Raw::from_token(&json), PhantomData)
    }
}

impl<T: OpenObject + Clone + fmt::Debug + PartialEq> OneOrMany<T> {
    /// Holds one object.
    #[must_use]
    pub fn one(value: &T) -> Self {
        Self(Nested::new(value).0, PhantomData)
    }

    /// Holds an array of objects.
    #[must_use]
    pub fn many(values: &[T]) -> Self {
        Self(List::new(values).0, PhantomData)
    }

    /// Reads the objects: the elements of an array, else the one value.
    ///
    /// # Errors
    /// Where one of them is no object.
    pub fn get(&self) -> Result<Vec<T>, ParseError> {
        if self.0.json_type() == JsonType::Array {
            List(self.0.clone(), PhantomData).get()
        } else {
            T::read(self.0.as_json()).map(|one| vec![one])
        }
    }
}

impl Map {
    /// An object of these members, in this order. Of those with one key the last has its say, in the place of the first.
    ///
    /// # Examples
    /// ```
    /// use piopiy_events::{Map, Raw};
    /// let map = Map::new([("order_id", "ORD12345".into()), ("vip", true.into())]);
    /// assert_eq!(map.as_json(), r#"{"order_id":"ORD12345","vip":true}"#);
    /// assert_eq!(map.get("vip"), Some(Raw::boolean(true)));
    /// assert_eq!(Map::new([("a", 1.into()), ("b", 2.into()), ("a", 3.into())]).as_json(), r#"{"a":3,"b":2}"#);
    /// ```
    #[must_use]
    pub fn new<'a>(members: impl IntoIterator<Item = (&'a str, Raw)>) -> Self {
        let mut places: BTreeMap<&str, usize> = BTreeMap::new();
        let mut once: Vec<(&str, Raw)> = Vec::new();
        for (key, value) in members {
            match places.entry(key) {
                Entry::Occupied(place) => once[*place.get()].1 = value,
                Entry::Vacant(place) => {
                    place.insert(once.len());
                    once.push((key, value));
                }
            }
        }
        let mut json = "{".to_owned();
        for (key, value) in once {
            if json.len() > 1 {
                json.push(',');
            }
            escape::encode(key, &mut json);
            json.push(':');
            json.push_str(value.as_json());
        }
        json.push('}');
        Self(Raw::from_token(&json))
    }

    /// The members in order, keys decoded; none where the value is no object.
    #[must_use]
    pub fn members(&self) -> Vec<(String, Raw)> {
        let members = scan::object(self.0.as_json().as_bytes(), &Limits::NONE).unwrap_or_default();
        members
            .iter()
            .map(|member| (escape::decode(member.key).into_owned(), Raw::from_token(member.value)))
            .collect()
    }

    /// The value of one member.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<Raw> {
        let members = scan::object(self.0.as_json().as_bytes(), &Limits::NONE).ok()?;
        let member = members.iter().find(|member| escape::spells(member.key, key))?;
        Some(Raw::from_token(member.value))
    }
}
