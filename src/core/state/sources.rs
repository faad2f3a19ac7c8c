//! Sources: which have to be read, and what was read of them.

use crate::core::content::SourceContent;
use crate::core::history::record::{Answer, TrackKey, Version};
use crate::core::state::changes::State;
use crate::core::state::step::SourceStep;
use crate::core::time::Moment;
use crate::kinds::{SourceId, WorkloadId};

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
            for (_, track) in (managed.record.tracks.iter_mut())
                .filter(|(key, _)| key.source.0 == id.kind && key.source.1 == id.name)
            {
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
        let source = self.index.source(id);
        let event = source.and_then(|source| source.events.first());
        let answer = Answer {
            content,
            source,
            date: answered.server,
            received: event.map_or(answered.mono, |event| event.received),
            listed: None,
            comparable: self.settings.comparable,
        };
        let users = self.index.users(id);
        for workload in &users {
            let (Some(managed), Some(view)) =
                (self.managed.get_mut(workload), self.index.view(workload))
            else {
                continue;
            };
            let answer = Answer {
                listed: view.newest_listed(),
                ..answer
            };
            let references = view.references.iter();
            for reference in references
                .filter(|reference| reference.source.0 == id.kind && reference.source.1 == id.name)
            {
                let key = TrackKey::of(reference);
                let Some(track) = managed.record.tracks.get_mut(&key) else {
                    continue;
                };
                managed.record.restated |=
                    track.observe(&workload.namespace, reference, &answer, &self.settings.key);
            }
        }
        self.index
            .forget_events(id, Version::of_content(content).rv);
        users
    }
}
