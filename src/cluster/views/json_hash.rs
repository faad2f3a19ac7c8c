//! A hash of JSON that is taken while it is decoded.

use std::hash::{DefaultHasher, Hash, Hasher};

use serde::de::{MapAccess, SeqAccess};
use serde::{Deserialize, Deserializer};

use crate::core::lenient::{Lenient, lenient};

/// Hash of a JSON value, without its bytes. The order of an object's fields
/// doesn't count; nor does a null, which hashes like nothing. It tells versions
/// of an object apart within one process and is stored nowhere.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct JsonHash(pub(super) u64);

/// Hashes a value; two processes of one build agree.
pub(super) fn hash_of(value: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

impl Lenient for JsonHash {
    fn text(text: &str) -> Self {
        Self(hash_of(("text", text)))
    }

    fn flag(flag: bool) -> Self {
        Self(hash_of(("flag", flag)))
    }

    fn number(number: i64) -> Self {
        Self(hash_of(("number", number)))
    }

    fn list<'de, A: SeqAccess<'de>>(mut items: A) -> Result<Self, A::Error> {
        let mut hasher = DefaultHasher::new();
        "list".hash(&mut hasher);
        while let Some(Self(item)) = items.next_element()? {
            item.hash(&mut hasher);
        }
        Ok(Self(hasher.finish()))
    }

    fn object<'de, A: MapAccess<'de>>(mut fields: A) -> Result<Self, A::Error> {
        let mut sum = hash_of("object");
        while let Some((key, value)) = fields.next_entry::<Self, Self>()? {
            if value != Self::default() {
                sum = sum.wrapping_add(hash_of((key, value)));
            }
        }
        Ok(Self(sum))
    }
}

impl<'de> Deserialize<'de> for JsonHash {
    fn deserialize<D: Deserializer<'de>>(decoder: D) -> Result<Self, D::Error> {
        lenient(decoder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(json: &str) -> JsonHash {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn the_order_of_fields_and_nulls_do_not_count() {
        assert_eq!(
            hash(r#"{"a":1,"b":{"c":[true,"x"],"d":"y"}}"#),
            hash(r#"{"e":null,"b":{"d":"y","c":[true,"x"]},"a":1}"#)
        );
    }

    #[test]
    fn everything_else_counts() {
        let values = [
            r#"{"a":1,"b":2}"#,
            r#"{"a":2,"b":1}"#,
            r#"{"a":1}"#,
            r#"{"a":"1"}"#,
            r#"{"a":{}}"#,
            r#"{"a":[]}"#,
            "{}",
            "[]",
            r#"["a","b"]"#,
            r#"["b","a"]"#,
            r#"["ab"]"#,
            "true",
            r#""true""#,
        ];
        for (index, one) in values.iter().enumerate() {
            for other in &values[index + 1..] {
                assert_ne!(hash(one), hash(other), "{one} {other}");
            }
        }
    }
}
