//! One content of a timeline, and since when it is in force.

use std::sync::Arc;

use jiff::SignedDuration;

use crate::core::content::digest::Digest;
use crate::core::object::source::{SourceEvent, SourceEventKind};
use crate::core::time::{Mono, ServerTime};
use crate::kinds::Rv;

/// What a source gave in one span of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// Content that was read, absence included.
    Known(Digest),
    /// A version that was edited over before it could be read. It equals nothing.
    Unread,
    /// A span that nobody watched and that may hide an edit: can't be told.
    Unsure,
}

/// When a content came into force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Since {
    /// The resourceVersion of the object version in which it was first read, or
    /// of the DELETED event for absence.
    pub rv: Option<Rv>,
    /// Whether the content cannot be older than `rv`. Where it can (the version
    /// was listed, not seen live), `rv` only proves that later Pods have it.
    pub exact: bool,
    /// The server's time for it.
    pub time: ServerTime,
}

/// One content of a timeline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What was in force.
    pub content: Content,
    /// Since when.
    pub since: Since,
    /// Whether something required was missing, so that no container could start.
    pub missing: bool,
    /// The projected keys that differ from the entry before; at most
    /// [`MAX_CHANGED`](crate::api::limits::MAX_CHANGED).
    pub changed: Vec<Arc<str>>,
    /// Whether others than these may differ.
    pub unnamed: bool,
    /// When the operator learned of it; zero for what was stored before it started.
    pub received: Mono,
    /// Every Pod created up to this time has this content or a later one: the
    /// `lastInSync` that was stored while this content was the newest.
    pub synced: Option<ServerTime>,
    /// When the workload was proven to be healthy with it.
    pub good: Option<ServerTime>,
}

/// What a reference has while its source is absent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Absence {
    /// The digest of that.
    pub digest: Digest,
    /// Whether something required is missing then.
    pub missing: bool,
}

// === impl Since ===

impl Since {
    /// In force since before anything that can be told.
    pub const BEGINNING: Self = Self {
        rv: None,
        exact: false,
        time: ServerTime::MIN,
    };
}

// === impl Entry ===

impl Entry {
    /// A span from `from` on that nobody watched and that may hide an edit.
    pub(super) fn unsure(from: ServerTime, received: Mono) -> Self {
        Self {
            content: Content::Unsure,
            since: Since {
                rv: None,
                exact: false,
                time: from,
            },
            missing: false,
            changed: Vec::new(),
            unnamed: false,
            received,
            synced: None,
            good: None,
        }
    }

    /// What an event that was not read tells: what came with an edit isn't known. `read` is
    /// a time by which it had come, for where no other tells of it.
    pub(super) fn unread(event: &SourceEvent, absent: Absence, read: ServerTime) -> Self {
        let (content, missing) = match event.kind {
            SourceEventKind::Edited => (Content::Unread, false),
            SourceEventKind::Deleted => (Content::Known(absent.digest), absent.missing),
        };
        Self {
            content,
            since: Since {
                rv: Some(event.rv),
                exact: true,
                time: event.time.unwrap_or(read),
            },
            missing,
            changed: Vec::new(),
            unnamed: false,
            received: event.received,
            synced: None,
            good: None,
        }
    }

    /// The content, where it is known.
    pub(super) fn known(&self) -> Option<Digest> {
        match self.content {
            Content::Known(digest) => Some(digest),
            Content::Unread | Content::Unsure => None,
        }
    }

    /// Up to the end of which second it is known to have been the newest, given
    /// that everything up to `seen` was seen. Of the second in which it came into
    /// force nothing is known.
    pub(super) fn known_until(&self, seen: ServerTime) -> ServerTime {
        let synced = self.synced.unwrap_or(ServerTime::MIN);
        seen.max(synced).max(second_before(self.since.time))
    }
}

/// The second before.
pub(crate) fn second_before(time: ServerTime) -> ServerTime {
    let second = SignedDuration::from_secs(1);
    time.saturating_sub(second).unwrap_or(time)
}

/// The second after.
pub(crate) fn second_after(time: ServerTime) -> ServerTime {
    let second = SignedDuration::from_secs(1);
    time.saturating_add(second).unwrap_or(time)
}
