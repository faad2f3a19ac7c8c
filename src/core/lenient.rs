//! Decoding that takes what has the expected shape and skips the rest.
//!
//! An object of the cluster may hold nulls, fields of a newer API or a field of
//! a wrong type. None of these may hide the rest of the object, so a field read
//! through [`lenient`] is its default where its shape is another one. Nothing
//! is buffered: the decoder goes on where it is.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// A value that decodes from anything: each method takes one JSON shape, and a
/// shape without a method of its own gives the default.
pub trait Lenient: Default {
    /// Takes a string.
    fn text(_: &str) -> Self {
        Self::default()
    }

    /// Takes a boolean.
    fn flag(_: bool) -> Self {
        Self::default()
    }

    /// Takes a whole number.
    fn number(_: i64) -> Self {
        Self::default()
    }

    /// Takes an array.
    ///
    /// # Errors
    /// Where the array itself can't be read to its end.
    fn list<'de, A: SeqAccess<'de>>(mut items: A) -> Result<Self, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Self::default())
    }

    /// Takes an object.
    ///
    /// # Errors
    /// Where the object itself can't be read to its end.
    fn object<'de, A: MapAccess<'de>>(mut fields: A) -> Result<Self, A::Error> {
        while fields.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Self::default())
    }
}

/// For `#[serde(deserialize_with = "lenient")]`, together with `default`.
///
/// # Errors
/// Only where the document itself is malformed.
pub fn lenient<'de, D: Deserializer<'de>, T: Lenient>(decoder: D) -> Result<T, D::Error> {
    decoder.deserialize_any(AnyShape(PhantomData))
}

/// Makes structs that derive `Deserialize` [`Lenient`].
macro_rules! lenient_objects {
    ($($object:ty),+ $(,)?) => {$(
        impl $crate::core::lenient::Lenient for $object {
            fn object<'de, A: serde::de::MapAccess<'de>>(fields: A) -> Result<Self, A::Error> {
                serde::Deserialize::deserialize(serde::de::value::MapAccessDeserializer::new(fields))
            }
        }
    )+};
}
pub(crate) use lenient_objects;

/// What is not read.
impl Lenient for () {}

impl Lenient for Arc<str> {
    fn text(text: &str) -> Self {
        text.into()
    }
}

impl Lenient for bool {
    fn flag(flag: bool) -> Self {
        flag
    }
}

impl Lenient for i64 {
    fn number(number: i64) -> Self {
        number
    }
}

/// An object that may be there or not; anything but an object is not there.
impl<T: Lenient> Lenient for Option<T> {
    fn object<'de, A: MapAccess<'de>>(fields: A) -> Result<Self, A::Error> {
        T::object(fields).map(Some)
    }
}

/// An item of a wrong shape is a default item, so the others keep their places.
impl<T: Lenient> Lenient for Vec<T> {
    fn list<'de, A: SeqAccess<'de>>(mut items: A) -> Result<Self, A::Error> {
        let mut list = Vec::new();
        while let Some(Item(item)) = items.next_element()? {
            list.push(item);
        }
        Ok(list)
    }
}

struct Item<T>(T);

impl<'de, T: Lenient> Deserialize<'de> for Item<T> {
    fn deserialize<D: Deserializer<'de>>(decoder: D) -> Result<Self, D::Error> {
        lenient(decoder).map(Self)
    }
}

struct AnyShape<T>(PhantomData<T>);

impl<'de, T: Lenient> Visitor<'de> for AnyShape<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_str<E>(self, text: &str) -> Result<T, E> {
        Ok(T::text(text))
    }

    fn visit_bool<E>(self, flag: bool) -> Result<T, E> {
        Ok(T::flag(flag))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<T, A::Error> {
        T::list(items)
    }

    fn visit_map<A: MapAccess<'de>>(self, fields: A) -> Result<T, A::Error> {
        T::object(fields)
    }

    fn visit_some<D: Deserializer<'de>>(self, decoder: D) -> Result<T, D::Error> {
        lenient(decoder)
    }

    fn visit_unit<E>(self) -> Result<T, E> {
        Ok(T::default())
    }

    fn visit_none<E>(self) -> Result<T, E> {
        Ok(T::default())
    }

    fn visit_i64<E>(self, number: i64) -> Result<T, E> {
        Ok(T::number(number))
    }

    fn visit_u64<E>(self, number: u64) -> Result<T, E> {
        Ok(i64::try_from(number).map_or_else(|_| T::default(), T::number))
    }

    fn visit_f64<E>(self, _: f64) -> Result<T, E> {
        Ok(T::default())
    }
}
