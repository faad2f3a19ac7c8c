//! Fields of API objects, and the reasons why an object can't be used.

use std::borrow::Cow;

/// Reason why an object can't be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Bad(pub Cow<'static, str>);

/// Declares API objects whose fields are all optional and read leniently.
macro_rules! fields {
    ($($(#[$doc:meta])* $object:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty,)+ })+) => {
        $(
            $(#[$doc])*
            #[derive(Default, serde::Deserialize)]
            #[serde(default, rename_all = "camelCase")]
            struct $object {
                $(
                    $(#[$field_doc])*
                    #[serde(deserialize_with = "crate::core::lenient::lenient")]
                    $field: $type,
                )+
            }
        )+
        $crate::core::lenient::lenient_objects!($($object),+);
    };
}
pub(super) use fields;

// === impl Bad ===

impl Bad {
    pub(super) fn missing(field: &'static str) -> Self {
        Self(Cow::Owned(format!("{field} is missing or malformed")))
    }
}
