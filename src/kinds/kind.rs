//! The id of a kind.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::ApiType;

/// Names a kind: a reference to its row in the registry, from which it takes all else.
pub struct Kind<R: 'static>(&'static R);

/// A row of the registry.
pub trait Row: Sized + 'static {
    /// Name of the schema of such kinds.
    const SCHEMA: &'static str;
    /// What such kinds are.
    const DESCRIPTION: &'static str;
    /// The rows, in their order.
    const ALL: &'static [Kind<Self>];

    /// Place among the rows.
    fn order(&self) -> u16;

    /// The API type of the objects.
    fn api(&self) -> &ApiType;
}

impl<R: Row> Kind<R> {
    /// The kind of a row.
    pub(super) const fn new(row: &'static R) -> Self {
        Self(row)
    }

    /// Every kind.
    pub fn all() -> impl Iterator<Item = Self> {
        R::ALL.iter().copied()
    }

    /// The API type of the objects.
    #[must_use]
    pub fn api(self) -> &'static ApiType {
        self.0.api()
    }

    /// The `kind` of the objects, as the API spells it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.api().kind
    }

    /// The kind that objects of this group and `kind` are of.
    #[must_use]
    pub fn of_object(group: &str, kind: &str) -> Option<Self> {
        Self::all().find(|known| known.api().group == group && known.api().kind == kind)
    }

    /// The kind that kubectl knows by this name, in lower case.
    #[must_use]
    pub fn called(name: &str) -> Option<Self> {
        Self::all().find(|known| known.api().is_called(name))
    }
}

impl<R> Clone for Kind<R> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<R> Copy for Kind<R> {}

impl<R> Deref for Kind<R> {
    type Target = R;

    fn deref(&self) -> &R {
        self.0
    }
}

impl<R: Row> PartialEq for Kind<R> {
    fn eq(&self, other: &Self) -> bool {
        self.order() == other.order()
    }
}

impl<R: Row> Eq for Kind<R> {}

impl<R: Row> PartialOrd for Kind<R> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<R: Row> Ord for Kind<R> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.order().cmp(&other.order())
    }
}

impl<R: Row> Hash for Kind<R> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.order().hash(state);
    }
}

impl<R: Row> fmt::Display for Kind<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl<R: Row> fmt::Debug for Kind<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl<R: Row> Serialize for Kind<R> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de, R: Row> Deserialize<'de> for Kind<R> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = Cow::<str>::deserialize(deserializer)?;
        let known = Self::all().find(|kind| kind.as_str() == name);
        known.ok_or_else(|| {
            let kinds: Vec<_> = Self::all().map(Self::as_str).collect();
            D::Error::custom(format!(
                "unknown kind {name:?}, expected one of {}",
                kinds.join(", ")
            ))
        })
    }
}

impl<R: Row> JsonSchema for Kind<R> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        Cow::Borrowed(R::SCHEMA)
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        // Of an `enum`, schemars makes an optional one by adding null, which the API server
        // would show among the kinds.
        let one = |kind: Self| json_schema!({ "type": "string", "const": kind.as_str() });
        let kinds: Vec<_> = Self::all().map(one).collect();
        json_schema!({ "description": R::DESCRIPTION, "oneOf": kinds })
    }
}
