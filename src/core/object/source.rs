//! What a metadata-only watch tells of a source, without its content.

use std::sync::Arc;

use crate::core::time::{Mono, ServerTime};
use crate::kinds::Rv;

/// The metadata of one version of a ConfigMap or Secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceMeta {
    /// `metadata.uid`.
    pub uid: Arc<str>,
    /// `metadata.resourceVersion`.
    pub rv: Option<Rv>,
    /// `metadata.creationTimestamp`.
    pub created: ServerTime,
    /// The newest managedFields time that owns `f:data` or `f:binaryData`.
    pub data_time: Option<ServerTime>,
    /// Hash of which managers own which fields of `f:data` and `f:binaryData`.
    pub data_fields: u64,
    /// Hash of all other metadata (labels, annotations, finalizers, owners, the
    /// other managedFields): what explains a version whose data did not change.
    pub other: u64,
}

/// A source as the watch has shown it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Source {
    /// Its newest version; `None` while it doesn't exist.
    pub meta: Option<SourceMeta>,
    /// The version that last changed the data (or created the object), where
    /// that was seen live.
    pub edited: Option<Rv>,
    /// The version that created the object, where that was seen live: before it
    /// there was none.
    pub created: Option<Rv>,
    /// What happened to it and that not every reference has taken in, oldest first.
    pub events: Vec<SourceEvent>,
    /// Whether something may have happened that was not seen.
    pub gap: bool,
    /// When the operator learned that it doesn't exist any more.
    pub gone: Option<Mono>,
}

/// Something that happened to a source, as its watch has shown it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SourceEvent {
    /// The resourceVersion that it gave.
    pub rv: Rv,
    /// What happened.
    pub kind: SourceEventKind,
    /// The server's time for it, where managedFields tell it.
    pub time: Option<ServerTime>,
    /// When the operator learned of it.
    pub received: Mono,
}

/// What happened to a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SourceEventKind {
    /// Its data may have changed.
    Edited,
    /// It was deleted.
    Deleted,
}

impl SourceMeta {
    /// Whether `self`, a version after `before`, may hold other data. It may not
    /// only where nothing that managedFields tell of the data moved and the rest
    /// of the metadata explains the version.
    #[must_use]
    pub fn may_differ(&self, before: &Self) -> bool {
        self.uid != before.uid
            || self.data_time.is_none()
            || self.data_time != before.data_time
            || self.data_fields != before.data_fields
            || self.other == before.other
    }
}

impl Source {
    /// How many events are kept before what happened is only known as a gap.
    const EVENTS: usize = 16;

    /// Takes in a version. `live` says that it came from the watch, not from a
    /// list, so that no version between is unseen. Returns whether it is news.
    pub fn apply(&mut self, meta: SourceMeta, live: bool, now: Mono) -> bool {
        let same = |before: &SourceMeta| before.uid == meta.uid && before.rv == meta.rv;
        if self.meta.as_ref().is_some_and(same) {
            return false;
        }
        if live && self.meta.is_none() {
            self.created = meta.rv;
        }
        if !live {
            self.open_gap();
        } else if self.meta.as_ref().is_none_or(|old| meta.may_differ(old)) {
            let before = self.meta.as_ref().and_then(|old| old.data_time);
            let time = meta.data_time.filter(|time| Some(*time) > before);
            self.note(meta.rv, SourceEventKind::Edited, time, now);
            self.edited = meta.rv;
        }
        self.meta = Some(meta);
        self.gone = None;
        true
    }

    /// Takes in its deletion: by the DELETED event of version `rv`, or (`None`)
    /// by its absence from a list. Returns whether it existed.
    pub fn delete(&mut self, rv: Option<Rv>, now: Mono) -> bool {
        if self.meta.is_none() {
            return false;
        }
        match rv {
            Some(_) => self.note(rv, SourceEventKind::Deleted, None, now),
            None => self.open_gap(),
        }
        self.meta = None;
        self.edited = None;
        self.created = None;
        self.gone = Some(now);
        true
    }

    /// Forgets what happened up to `rv`, the version that was read (`None` where it
    /// was found absent): every reference has taken it in.
    pub fn forget(&mut self, rv: Option<Rv>) {
        let is_deletion = |event: &&SourceEvent| event.kind == SourceEventKind::Deleted;
        let deleted = self.events.iter().rev().find(is_deletion);
        match rv.or(deleted.map(|event| event.rv)) {
            Some(rv) => self.events.retain(|event| event.rv > rv),
            None => self.events.clear(),
        }
        // What was read before the last list leaves open what that list skipped.
        let reached = match (&self.meta, rv) {
            (Some(meta), Some(rv)) => meta.rv.is_none_or(|listed| listed <= rv),
            (None, None) => true,
            _ => false,
        };
        if reached {
            self.gap = false;
        }
    }

    /// Forgets every version: they were of another history of the cluster.
    pub fn forget_versions(&mut self) {
        self.open_gap();
        if let Some(meta) = &mut self.meta {
            meta.rv = None;
        }
    }

    fn note(&mut self, rv: Option<Rv>, kind: SourceEventKind, time: Option<ServerTime>, now: Mono) {
        match rv {
            Some(rv) if self.events.len() < Self::EVENTS => self.events.push(SourceEvent {
                rv,
                kind,
                time,
                received: now,
            }),
            _ => self.open_gap(),
        }
    }

    fn open_gap(&mut self) {
        self.edited = None;
        self.created = None;
        self.events.clear();
        self.gap = true;
    }
}
