//! Sources: which have to be read, and what was read of them.

use std::collections::HashMap;
use std::sync::Arc;

use crate::core::content::SourceContent;
use crate::core::history::record::{Answer, SeenContent, TrackKey, Version};
use crate::core::project::reference::{Fingerprint, Reference};
use crate::core::state::changes::State;
use crate::core::state::step::SourceStep;
use crate::core::time::Moment;
use crate::kinds::{SourceId, WorkloadId};

/// What was read of a source, on its way into the references to it.
#[derive(Debug)]
pub struct Read<'a> {
    id: &'a SourceId,
    content: &'a SourceContent,
    answered: Moment,
    /// What references see of it, by namespace and fingerprint.
    seen: HashMap<(Arc<str>, Fingerprint), SeenContent>,
}

// === impl Read ===

impl<'a> Read<'a> {
    /// What an answer brought that came at that moment.
    #[must_use]
    pub fn new(id: &'a SourceId, content: &'a SourceContent, answered: Moment) -> Self {
        Self {
            id,
            content,
            answered,
            seen: HashMap::new(),
        }
    }
}

// === impl State ===

impl State {
    /// What is to be done about a source. Its absence is taken in at once, as there is
    /// nothing to read.
    pub fn look_at(&mut self, id: &SourceId, now: Moment) -> SourceStep {
        if !self.synced {
            return SourceStep::Plan(Vec::new());
        }
        if self.gaps.has(id.kind.as_str(), id.namespace.as_deref()) {
            // One that is not listed may exist all the same.
            return SourceStep::Plan(self.index.users(id));
        }
        let shown = Version::of_source(self.index.source(id));
        match (self.lags(id), shown == Version::default()) {
            (true, false) => SourceStep::Read { shown: shown.rv },
            (true, true) => SourceStep::Plan(self.take_in(id, &SourceContent::Absent, now)),
            (false, _) => {
                self.index.forget_events(id, shown.rv);
                SourceStep::Plan(self.index.users(id))
            }
        }
    }

    /// Whether a reference lacks a version of a source. Restored references that have the
    /// newest version follow the source from now on.
    fn lags(&mut self, id: &SourceId) -> bool {
        let source = self.index.source(id);
        let mut lags = false;
        for workload in self.index.users(id) {
            let Some(managed) = self.managed.get_mut(&workload) else {
                continue;
            };
            for key in TrackKey::of_source(&(id.kind, id.name.clone())) {
                let Some(track) = managed.record.tracks.get_mut(&key) else {
                    continue;
                };
                if track.lags(source) {
                    lags = true;
                } else {
                    track.resume();
                }
            }
        }
        lags
    }

    /// Takes in the content of a source, for every reference to it. `answered` is when the
    /// answer came, and its `Date`. Returns the workloads to plan.
    pub fn take_in(
        &mut self,
        id: &SourceId,
        content: &SourceContent,
        answered: Moment,
    ) -> Vec<WorkloadId> {
        let users = self.index.users(id);
        let mut read = Read::new(id, content, answered);
        self.take_in_for(&users, &mut read);
        self.taken_in(&read);
        users
    }

    /// Takes in what was read of a source, for some of the workloads that refer to it.
    pub fn take_in_for(&mut self, users: &[WorkloadId], read: &mut Read<'_>) {
        let source = self.index.source(read.id);
        let event = source.and_then(|source| source.events.first());
        let answer = Answer {
            content: read.content,
            source,
            date: read.answered.server,
            received: event.map_or(read.answered.mono, |event| event.received),
            listed: None,
            comparable: self.settings.comparable,
        };
        let name = (read.id.kind, read.id.name.clone());
        for workload in users {
            let (Some(managed), Some(view)) =
                (self.managed.get_mut(workload), self.index.view(workload))
            else {
                continue;
            };
            let answer = Answer {
                listed: view.newest_listed(),
                ..answer
            };
            for reference in Reference::of_source(view.references, &name) {
                let key = TrackKey::of(reference);
                let Some(track) = managed.record.tracks.get_mut(&key) else {
                    continue;
                };
                let alike = (workload.namespace.clone(), track.fingerprint);
                let seen = read.seen.entry(alike).or_insert_with(|| {
                    let key = &self.settings.key;
                    SeenContent::of(&workload.namespace, reference, answer.content, key)
                });
                managed.record.restated |= track.observe(reference, &answer, seen);
            }
        }
    }

    /// Takes in that all that refer to the source have taken it in.
    pub fn taken_in(&mut self, read: &Read<'_>) {
        let version = Version::of_content(read.content);
        self.index.forget_events(read.id, version.rv);
    }
}
