//! What can't be listed for a time, and is taken in once it can.

use std::sync::Arc;

use crate::core::index::Affected;
use crate::core::plan::Unlisted;
use crate::core::state::changes::State;
use crate::core::time::Mono;

// === impl State ===

impl State {
    /// Takes in that objects of a kind can't be listed in one namespace or (`None`) in any,
    /// and why. Of what was listed before, all is kept.
    pub fn left_out(
        &mut self,
        kind: &'static str,
        namespace: Option<Arc<str>>,
        why: String,
        since: Mono,
    ) -> Affected {
        let affected = self.within(namespace.as_deref());
        let unlisted = Unlisted { since, why };
        self.gaps.0.entry((kind, namespace)).or_insert(unlisted);
        affected
    }

    /// Takes in that they have been listed. What was put off till then is looked at.
    pub fn listed(&mut self, kind: &'static str, namespace: Option<Arc<str>>) -> Affected {
        if self.gaps.0.is_empty() {
            return Affected::default();
        }
        let affected = self.within(namespace.as_deref());
        match self.gaps.0.remove(&(kind, namespace)) {
            Some(_) => affected,
            None => Affected::default(),
        }
    }

    /// All sources and workloads of a namespace, or (`None`) of all.
    fn within(&self, namespace: Option<&str>) -> Affected {
        let mut all = self.everything();
        if let Some(namespace) = namespace {
            let of_it = |one: Option<&str>| one.is_none_or(|one| one == namespace);
            all.sources.retain(|id| of_it(id.namespace.as_deref()));
            all.workloads.retain(|id| of_it(Some(&id.namespace)));
        }
        all
    }
}
