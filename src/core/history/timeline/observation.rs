//! What a reading says of a reference, on its way into a timeline.

use std::sync::Arc;

use crate::api::limits::MAX_CHANGED;
use crate::core::content::digest::Digest;
use crate::core::history::timeline::entry::{Absence, Content, Entry, Since, second_before};
use crate::core::object::source::SourceEvent;
use crate::core::time::{Mono, ServerTime};
use crate::kinds::Rv;

/// What one reading of a source says of a reference.
#[derive(Clone, Debug)]
pub struct Observation<'a> {
    /// The digest of what is projected.
    pub digest: Digest,
    /// Whether something required is missing.
    pub missing: bool,
    /// What the reference has while the source is absent.
    pub absent: Absence,
    /// What happened to the source since the reading before, and was not read; oldest
    /// first.
    pub unread: &'a [SourceEvent],
    /// The version of the reading before.
    pub after: Option<Rv>,
    /// `metadata.resourceVersion` of the object that was read; of the DELETED
    /// event, if one was seen, for an absent one.
    pub rv: Option<Rv>,
    /// The version that last changed the data, where the watch saw it live and
    /// had reached `rv`: the content is in force since then.
    pub edited: Option<Rv>,
    /// Whether the watch saw the object appear in that version: before, it was absent.
    pub born: bool,
    /// Whether no container can start without it.
    pub required: bool,
    /// `metadata.creationTimestamp`, `None` for an absent source.
    pub created: Option<ServerTime>,
    /// The newest managedFields time that owns data.
    pub data_time: Option<ServerTime>,
    /// The `Date` of the API response that brought it.
    pub date: ServerTime,
    /// When the operator learned of the change.
    pub received: Mono,
    /// The projected keys that differ from the previous content.
    pub changed: Vec<Arc<str>>,
    /// Whether others may differ too.
    pub unnamed: bool,
    /// Whether a key that was projected is gone: a removal moves no
    /// managedFields time.
    pub key_went: bool,
}

// === impl Observation ===

impl Observation<'_> {
    /// Since when the content is in force, where a version tells.
    pub(super) fn version(&self) -> Option<Rv> {
        self.edited.or(self.rv)
    }

    /// What was before the object appeared.
    pub(super) fn before_birth(&self) -> Self {
        Self {
            digest: self.absent.digest,
            missing: self.absent.missing,
            unread: &[],
            rv: None,
            edited: None,
            born: false,
            required: false,
            created: None,
            data_time: None,
            changed: Vec::new(),
            unnamed: false,
            key_went: false,
            ..*self
        }
    }

    pub(super) fn entry(&self, since: Since) -> Entry {
        Entry {
            content: Content::Known(self.digest),
            since,
            missing: self.missing,
            changed: self.changed.iter().take(MAX_CHANGED).cloned().collect(),
            unnamed: self.unnamed || self.changed.len() > MAX_CHANGED,
            received: self.received,
            synced: None,
            good: None,
        }
    }

    /// The server's time for content that follows one in force since `previous`.
    pub(super) fn time_after(&self, previous: ServerTime) -> ServerTime {
        self.told_after(previous).unwrap_or(self.date)
    }

    /// The same, where managedFields tell it.
    pub(super) fn told_after(&self, previous: ServerTime) -> Option<ServerTime> {
        self.data_time
            .filter(|time| *time > previous && !self.key_went)
    }
}

/// The time of a first reading. Content that came with its object, within the
/// same second, and that no container can start without, counts from before that
/// second: whatever started in it has it.
pub(super) fn first_time(created: ServerTime, seen: &Observation<'_>) -> ServerTime {
    let edited = seen.data_time.unwrap_or(seen.date);
    if seen.required && edited == created {
        return second_before(created);
    }
    edited
}
