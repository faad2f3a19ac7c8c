//! Content → digests.
//!
//! Two levels, both HMAC-SHA-256 under one random key, truncated to 128 bits:
//! a [`KeyDigest`] of the bytes of one key, taken while a source is read, and a
//! [`Digest`] of what a [`Reference`] projects of it. Both bind the namespace,
//! so equal digests tell nothing about another namespace, and nobody without
//! the key can test a guess.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use hmac::digest::Update;
use hmac::{Hmac, KeyInit, Mac};
use litemap::LiteMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use crate::core::content::encoding::{Encoder, truncated};
use crate::core::content::{Field, SourceContent};
use crate::core::project::reference::{Fingerprint, Place, Reference, Selection};
use crate::kinds::SourceId;

pub use crate::core::content::key_digest::{KeyDigest, KeyId};

/// The secret key of all digests. It is never shown: `Debug` gives its [id](KeyId).
#[derive(Clone)]
pub struct DigestKey {
    /// Ready to hash under the key; the key itself isn't kept.
    keyed: Hmac<Sha256>,
    id: KeyId,
}

/// Digest of what a reference projects: `v1.<key id>.<32 hex digits>`.
///
/// Only digests of one [`KeyId`] can be compared.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(into = "String", try_from = "String")]
#[schemars(with = "String")]
pub struct Digest {
    /// Which key it was made with.
    pub key_id: KeyId,
    /// The digest proper.
    pub bytes: [u8; 16],
}

/// A stored digest is of a format that this version doesn't know, so nothing
/// can be said about the content it stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown digest format: expected v1.<key id>.<digest>; the source must be read again")]
pub struct UnknownFormat;

/// The projected keys with the digest of each, `None` where it is absent. Most references
/// project few, and a tree has room for eleven.
pub type ProjectedKeys = LiteMap<Arc<str>, Option<KeyDigest>>;

/// What a reference projects of the content of its source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Projected {
    /// Equal for equal content.
    pub digest: Digest,
    /// What a Pod couldn't start without, if that isn't there.
    pub missing: Option<Missing>,
    /// The projected keys, so that changed ones can be named.
    pub keys: ProjectedKeys,
}

#[cfg(test)]
thread_local! {
    /// How many contents the current thread has digested.
    pub(in crate::core) static DIGESTS: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

/// A required part that isn't there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Missing {
    /// The whole source.
    Source,
    /// A key; of several the first by name.
    Key(Arc<str>),
}

/// Digests what a reference of a workload in `namespace` projects of `content`,
/// which is that of its source.
///
/// An absent source is one with all its keys absent: a container can't tell
/// these apart.
#[must_use]
pub fn reference_digest(
    namespace: &str,
    reference: &Reference,
    content: &SourceContent,
    key: &DigestKey,
) -> Projected {
    #[cfg(test)]
    DIGESTS.with(|count| count.set(count.get() + 1));
    let seen = seen(reference, content);
    let bytes = key.hash(|hmac| encode_reference(hmac, namespace, reference, &seen));
    let mut keys = BTreeMap::<_, Option<KeyDigest>>::new();
    for entry in &seen {
        // A key may be seen in one place and not in another (binaryData).
        let digest = keys.entry(Arc::clone(entry.key)).or_default();
        *digest = digest.or(entry.digest);
    }
    Projected {
        digest: Digest {
            key_id: key.id,
            bytes,
        },
        missing: missing(reference, content),
        keys: keys.into_iter().collect(),
    }
}

/// The keys whose content differs, sorted; an absent key is like one that was
/// never projected. Each is found when it is asked for.
pub fn changed_keys<'a>(
    old: &'a ProjectedKeys,
    new: &'a ProjectedKeys,
) -> impl Iterator<Item = &'a Arc<str>> {
    let (mut old, mut new) = (old.iter().peekable(), new.iter().peekable());
    std::iter::from_fn(move || {
        loop {
            let first = match (old.peek(), new.peek()) {
                (Some((a, _)), Some((b, _))) => *a.min(b),
                (Some((name, _)), None) | (None, Some((name, _))) => *name,
                (None, None) => return None,
            };
            let before = old.next_if(|(name, _)| *name == first);
            let after = new.next_if(|(name, _)| *name == first);
            let digest = |entry: Option<(_, &Option<KeyDigest>)>| entry.and_then(|(_, one)| *one);
            if digest(before) != digest(after) {
                return Some(first);
            }
        }
    })
}

/// One file or variable that containers see.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Seen<'a> {
    place: Place,
    /// Path or variable name.
    name: Cow<'a, str>,
    key: &'a Arc<str>,
    /// `None` where the key is absent.
    digest: Option<KeyDigest>,
}

/// What containers see of the content through a reference.
fn seen<'a>(reference: &'a Reference, content: &'a SourceContent) -> BTreeSet<Seen<'a>> {
    let mut seen = BTreeSet::new();
    for use_ in &reference.uses {
        let place = use_.place;
        let mut see = |name: Cow<'a, str>, key, digest| {
            seen.insert(Seen {
                place,
                name,
                key,
                digest,
            });
        };
        let present = content.keys().filter(|(_, field, _)| place.sees(*field));
        match &use_.selection {
            Selection::Files => {
                for (key, _, digest) in present {
                    see(Cow::Borrowed(key), key, Some(digest));
                }
            }
            Selection::Variables { prefix, hidden } => {
                for (key, _, digest) in present {
                    let name = format!("{prefix}{key}");
                    if hidden.binary_search_by(|own| (**own).cmp(&name)).is_err() {
                        see(Cow::Owned(name), key, Some(digest));
                    }
                }
            }
            Selection::Keys(selected) => {
                for under in selected.chunk_by(|(a, _), (b, _)| a == b) {
                    let mut keys = under.iter().rev();
                    let there = |(_, key): &&(_, Arc<str>)| look_up(content, place, key).is_some();
                    if let Some((name, key)) = keys.find(there).or(under.last()) {
                        see(Cow::Borrowed(name), key, look_up(content, place, key));
                    }
                }
            }
        }
    }
    seen
}

fn look_up(content: &SourceContent, place: Place, key: &str) -> Option<KeyDigest> {
    let (field, digest) = content.get(key)?;
    place.sees(field).then_some(digest)
}

fn missing(reference: &Reference, content: &SourceContent) -> Option<Missing> {
    let absent = matches!(content, SourceContent::Absent);
    if absent && reference.requires_source() {
        return Some(Missing::Source);
    }
    let required = reference.uses.iter().flat_map(|use_| {
        let keys = use_.required.iter();
        keys.filter(|key| look_up(content, use_.place, key).is_none())
    });
    required.min().cloned().map(Missing::Key)
}

/// What a digest of a reference is made from. The key is part of it beside the
/// name: two containers may see two keys under one name.
fn encode_reference<S: Update>(
    sink: S,
    namespace: &str,
    reference: &Reference,
    seen: &BTreeSet<Seen<'_>>,
) -> S {
    let (kind, name) = &reference.source;
    let mut out = Encoder::new(sink, "projsync.dev/v1/reference");
    out.text(namespace);
    out.text(kind.as_str());
    out.text(name);
    out.count(seen.len());
    for entry in seen {
        out.text(entry.place.as_str());
        out.text(&entry.name);
        out.text(entry.key);
        match &entry.digest {
            Some(digest) => out.bytes(&digest.0),
            // A digest is never empty.
            None => out.bytes(&[]),
        }
    }
    out.finish()
}

/// What a digest of a key is made from.
fn encode_key<S: Update>(sink: S, source: &SourceId, key: &str, bytes: &[u8]) -> S {
    let mut out = Encoder::new(sink, "projsync.dev/v1/key");
    out.text(source.namespace());
    out.text(source.kind.as_str());
    out.text(&source.name);
    out.text(key);
    out.bytes(bytes);
    out.finish()
}

// === impl Place ===

impl Place {
    fn sees(self, field: Field) -> bool {
        field == Field::Data || self.sees_binary_data()
    }
}

// === impl DigestKey ===

impl DigestKey {
    /// Takes a key of 32 random bytes.
    #[must_use]
    pub fn new(bytes: &[u8; 32]) -> Self {
        // HMAC fills a short key up with zeros; done here, no length can be wrong.
        let mut block = [0; 64];
        block[..32].copy_from_slice(bytes);
        let keyed = Hmac::new(&block.into());
        let [a, b, c, d, ..] = hash(&keyed, |hmac| {
            Encoder::new(hmac, "projsync.dev/v1/key-id").finish()
        });
        Self {
            keyed,
            id: KeyId([a, b, c, d]),
        }
    }

    /// Names the key in stored digests.
    #[must_use]
    pub fn id(&self) -> KeyId {
        self.id
    }

    /// Digests the bytes of one key of a source. Whether they are in `data` or
    /// `binaryData` makes no difference here: a volume shows them alike.
    #[must_use]
    pub fn key_digest(&self, source: &SourceId, key: &str, bytes: &[u8]) -> KeyDigest {
        KeyDigest(self.hash(|hmac| encode_key(hmac, source, key, bytes)))
    }

    /// Digests everything that a workload projects: the newest digest of each of
    /// its references, in whatever order.
    #[must_use]
    pub fn revision(&self, references: &[(Fingerprint, Digest)]) -> Digest {
        let mut sorted = references.to_vec();
        sorted.sort_unstable();
        let bytes = self.hash(|hmac| {
            let mut encoder = Encoder::new(hmac, "projsync.dev/v1/revision");
            encoder.count(sorted.len());
            for (fingerprint, digest) in &sorted {
                encoder.bytes(&fingerprint.0);
                encoder.bytes(&digest.bytes);
            }
            encoder.finish()
        });
        Digest {
            key_id: self.id,
            bytes,
        }
    }

    fn hash(&self, encode: impl FnOnce(Hmac<Sha256>) -> Hmac<Sha256>) -> [u8; 16] {
        hash(&self.keyed, encode)
    }
}

fn hash(keyed: &Hmac<Sha256>, encode: impl FnOnce(Hmac<Sha256>) -> Hmac<Sha256>) -> [u8; 16] {
    truncated(encode(keyed.clone()).finalize().into_bytes().into())
}

impl fmt::Debug for DigestKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DigestKey({})", self.id)
    }
}

// === impl Digest ===

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "v1.{}.", self.key_id)?;
        crate::core::content::hex::write(f, &self.bytes)
    }
}

impl FromStr for Digest {
    type Err = UnknownFormat;

    fn from_str(text: &str) -> Result<Self, UnknownFormat> {
        let rest = text.strip_prefix("v1.").ok_or(UnknownFormat)?;
        let (key_id, bytes) = rest.split_once('.').ok_or(UnknownFormat)?;
        Ok(Self {
            key_id: key_id.parse().map_err(|_| UnknownFormat)?,
            bytes: crate::core::content::hex::parse(bytes).map_err(|_| UnknownFormat)?,
        })
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.to_string()
    }
}

impl TryFrom<String> for Digest {
    type Error = UnknownFormat;

    fn try_from(text: String) -> Result<Self, UnknownFormat> {
        text.parse()
    }
}

// === impl Missing ===

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Source => f.write_str("it does not exist"),
            Self::Key(key) => write!(f, "it has no key {key}"),
        }
    }
}

#[cfg(test)]
mod tests;
