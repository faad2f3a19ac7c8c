//! The reference model: from what happened in a cluster it says what must and must
//! not be rolled, and what may be said of each Pod.
//!
//! It is written apart from the operator and calls nothing of it. It is told facts in
//! the order in which the API server made them: versions of sources, workloads, Pods
//! and their starts, rolls, and the spans in which nobody watched. What the operator
//! can't know it does not ask of it: a [`Gap`] and the whole seconds of the API's times
//! widen what a Pod may count as having, never what it really has.
//!
//! Used by the simulation (`src/operator/simulation`) and by `make soak`.

mod judge;
mod projection;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

pub(crate) use judge::Told;
pub(crate) use projection::{stored_until, told};

/// A place in the API server's order: a resourceVersion.
pub(crate) type Rv = u64;

/// A server time in whole seconds, as objects carry it.
pub(crate) type Second = i64;

/// What a ConfigMap or Secret holds.
pub(crate) type Data = BTreeMap<String, String>;

/// What a workload sees of a source through one class of its uses.
pub(crate) type View = BTreeMap<String, Option<String>>;

/// A promise that was broken, in a sentence.
pub(crate) type Broken = String;

/// One use of a source by a workload's containers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Use {
    /// `ConfigMap/app`.
    pub(crate) source: String,
    /// The keys that are projected; all where `None`.
    pub(crate) keys: Option<Vec<String>>,
    pub(crate) optional: bool,
    /// Whether a running container never sees a change of it.
    pub(crate) frozen: bool,
}

/// Uses of one source that reach running containers alike.
pub(crate) type Group = (String, bool);

/// A source from one version on.
#[derive(Clone, Debug)]
struct Version {
    rv: Rv,
    second: Second,
    /// The newest time that managedFields tell of the data; [`Second::MAX`] where there
    /// are none, so that any version may be one of the data.
    stamp: Second,
    /// `None` while it doesn't exist.
    data: Option<Data>,
}

/// How a workload is managed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Policy {
    pub(crate) observe: bool,
    pub(crate) suspend: bool,
    /// Least seconds between two rolls.
    pub(crate) min_interval: Second,
}

/// A workload as its owner has it now.
#[derive(Clone, Debug, Default)]
pub(crate) struct Workload {
    /// Identity of its Pod template, the revision annotation included.
    pub(crate) template: String,
    pub(crate) uses: Vec<Use>,
    pub(crate) paused: bool,
    /// Whether its controller replaces a Pod only when somebody deletes it.
    pub(crate) on_delete: bool,
    /// Whether a Pod that can't start stops its controller.
    pub(crate) ordered: bool,
}

/// What is remembered of a workload.
#[derive(Debug, Default)]
struct Subject {
    now: Workload,
    /// The policies in force, each since a version.
    policies: Vec<(Rv, Option<Policy>)>,
    /// Times of the rolls.
    rolls: Vec<(Rv, Second)>,
    /// How often what it projects changed.
    changes: usize,
    /// What may have cost a roll more than there are changes.
    disturbed: usize,
    /// What it projected each time that the annotation was taken away.
    removals: Vec<Vec<View>>,
    gaps: Vec<Gap>,
    /// Whether a roll may have been made that its maker doesn't know of.
    unrecorded: bool,
}

/// A span of seconds in which nobody watched, or from before the first look.
#[derive(Clone, Debug)]
pub(crate) struct Gap {
    pub(crate) seconds: RangeInclusive<Second>,
    /// The source that wasn't watched; all and the Pods too where `None`.
    pub(crate) source: Option<String>,
}

/// A Pod.
#[derive(Clone, Debug)]
struct Pod {
    workload: String,
    name: String,
    template: String,
    uses: Vec<Use>,
    created: Rv,
    second: Second,
    /// Between which two versions its containers last read what they project.
    started: Option<RangeInclusive<Rv>>,
    started_second: Second,
    /// What they read then, where somebody looked.
    has: BTreeMap<Group, View>,
}

/// What happened so far.
#[derive(Debug, Default)]
pub(crate) struct Model {
    sources: BTreeMap<String, Vec<Version>>,
    workloads: BTreeMap<String, Subject>,
    /// By uid.
    pods: BTreeMap<String, Pod>,
    /// Those that are gone, since which version.
    gone: Vec<(Rv, Pod)>,
    newest: Rv,
    /// Spans in which reads may have taken long.
    slow: Vec<RangeInclusive<Second>>,
    /// Spans in which they failed.
    failed: Vec<RangeInclusive<Second>>,
}

// === impl Model: what happened ===

impl Model {
    /// A source has other data, or (`None`) is deleted. `stamp` is the newest time
    /// that its managedFields tell of data.
    pub(crate) fn source(
        &mut self,
        name: &str,
        rv: Rv,
        second: Second,
        stamp: Second,
        data: Option<Data>,
    ) {
        self.newest = self.newest.max(rv);
        let before = self.sources.get(name).and_then(|versions| versions.last());
        let before = before.and_then(|version| version.data.clone());
        for subject in self.workloads.values_mut() {
            let mut uses = subject.now.uses.iter().filter(|one| one.source == name);
            let moved = uses.any(|one| seen(one, before.as_ref()) != seen(one, data.as_ref()));
            subject.changes += usize::from(moved);
        }
        let versions = self.sources.entry(name.to_owned()).or_default();
        versions.push(Version {
            rv,
            second,
            stamp,
            data,
        });
    }

    /// A workload is created, or its owner changed it.
    pub(crate) fn workload(&mut self, name: &str, rv: Rv, workload: Workload) {
        self.newest = self.newest.max(rv);
        self.workloads.entry(name.to_owned()).or_default().now = workload;
    }

    /// A workload uses something else, without another template: a webhook changes its Pods.
    pub(crate) fn uses(&mut self, workload: &str, uses: Vec<Use>) {
        if let Some(subject) = self.workloads.get_mut(workload) {
            subject.now.uses = uses;
            subject.disturbed += 1;
        }
    }

    /// A workload is gone, with its Pods.
    pub(crate) fn workload_gone(&mut self, name: &str) {
        self.workloads.remove(name);
        self.pods.retain(|_, pod| pod.workload != name);
        self.gone.retain(|(_, pod)| pod.workload != name);
    }

    /// Another policy is in force for a workload, or (`None`) it isn't managed.
    /// Returns whether it is managed from now on.
    pub(crate) fn policy(&mut self, workload: &str, rv: Rv, policy: Option<Policy>) -> bool {
        self.newest = self.newest.max(rv);
        let Some(subject) = self.workloads.get_mut(workload) else {
            return false;
        };
        let managed = subject
            .policies
            .last()
            .is_some_and(|(_, policy)| policy.is_some());
        subject.policies.push((rv, policy));
        policy.is_some() && !managed
    }

    /// Reads may take long in these seconds.
    pub(crate) fn slow_reads(&mut self, seconds: RangeInclusive<Second>) {
        self.slow.push(seconds);
    }

    /// Somebody took the annotation from the template, or put an older one in its
    /// place, and nothing else.
    pub(crate) fn annotation_removed(&mut self, workload: &str) {
        let projected = self.projected(workload);
        if let Some(subject) = self.workloads.get_mut(workload) {
            subject.removals.push(projected);
            subject.disturbed += 1;
        }
    }

    /// The owner brought another template (which may be an earlier one).
    pub(crate) fn template_changed(&mut self, workload: &str) {
        if let Some(subject) = self.workloads.get_mut(workload) {
            subject.removals.clear();
            subject.disturbed += 1;
        }
    }

    /// Nobody followed this workload, or one source of it, for some time.
    pub(crate) fn gap(&mut self, workload: &str, gap: Gap) {
        if let Some(subject) = self.workloads.get_mut(workload) {
            subject.disturbed += 1;
            subject.unrecorded = true;
            subject.gaps.push(gap);
        }
    }

    /// An answer to the operator got lost: it may not know what it did.
    pub(crate) fn answer_lost(&mut self, workload: &str) {
        if let Some(subject) = self.workloads.get_mut(workload) {
            subject.unrecorded = true;
        }
    }

    /// Reads failed, so that what comes first is read only at the end of these seconds.
    pub(crate) fn failed_reads(&mut self, seconds: RangeInclusive<Second>) {
        self.failed.push(seconds);
    }

    /// A Pod is created, of a template of its workload.
    pub(crate) fn pod(
        &mut self,
        workload: &str,
        (name, uid): (&str, &str),
        (template, uses): (&str, &[Use]),
        rv: Rv,
        second: Second,
    ) {
        self.newest = self.newest.max(rv);
        let pod = Pod {
            workload: workload.to_owned(),
            name: name.to_owned(),
            template: template.to_owned(),
            uses: uses.to_vec(),
            created: rv,
            second,
            started: None,
            started_second: second,
            has: BTreeMap::new(),
        };
        self.pods.insert(uid.to_owned(), pod);
    }

    /// A Pod's containers started, and read what they project somewhere in `within`.
    pub(crate) fn pod_started(&mut self, uid: &str, within: RangeInclusive<Rv>, second: Second) {
        self.newest = self.newest.max(*within.end());
        if let Some(pod) = self.pods.get_mut(uid) {
            pod.started = Some(within);
            pod.started_second = second;
        }
    }

    /// What a Pod's containers read of each group when they started. It may be older than
    /// what there was.
    pub(crate) fn pod_has(&mut self, uid: &str, has: BTreeMap<Group, View>) {
        if let Some(pod) = self.pods.get_mut(uid) {
            pod.has = has;
        }
    }

    /// A Pod is gone, or terminating.
    pub(crate) fn pod_gone(&mut self, uid: &str) {
        if let Some(pod) = self.pods.remove(uid) {
            self.gone.push((self.newest, pod));
        }
    }
}

// === impl Model: what was in force ===

impl Model {
    /// What a source held somewhere in `span`.
    fn held(&self, source: &str, span: RangeInclusive<Rv>) -> Vec<Option<&Data>> {
        let versions = self.sources.get(source).map_or(&[][..], Vec::as_slice);
        let first = versions.partition_point(|version| version.rv <= *span.start());
        let before = first
            .checked_sub(1)
            .and_then(|at| versions[at].data.as_ref());
        let after = versions[first..]
            .iter()
            .take_while(|version| version.rv <= *span.end())
            .map(|version| version.data.as_ref());
        std::iter::once(before).chain(after).collect()
    }

    /// What a group of uses saw somewhere in `span`.
    fn views(&self, uses: &[Use], group: &Group, span: RangeInclusive<Rv>) -> Vec<View> {
        let held = self.held(&group.0, span).into_iter();
        held.map(|data| view(uses, group, data)).collect()
    }

    /// What it sees now.
    fn view_now(&self, uses: &[Use], group: &Group) -> View {
        view(uses, group, self.data_now(&group.0))
    }

    /// What a workload projects now.
    fn projected(&self, workload: &str) -> Vec<View> {
        let uses = self.workloads.get(workload);
        let uses = uses.map_or(&[][..], |subject| &subject.now.uses);
        let groups = groups(uses).into_iter();
        groups.map(|group| self.view_now(uses, &group)).collect()
    }

    fn data_now(&self, source: &str) -> Option<&Data> {
        let versions = self.sources.get(source)?;
        versions.last()?.data.as_ref()
    }

    /// The version in force when a second began.
    fn before_second(&self, second: Second) -> Rv {
        let versions = self.sources.values().flatten();
        let before = versions.filter(|version| version.second < second);
        before.map(|version| version.rv).max().unwrap_or(0)
    }

    /// Whether something required is missing, so that no container can start.
    fn is_missing(&self, uses: &[Use]) -> bool {
        uses.iter()
            .any(|one| is_missing(one, self.data_now(&one.source)))
    }
}

/// The groups of some uses.
fn groups(uses: &[Use]) -> BTreeSet<Group> {
    let group = |one: &Use| (one.source.clone(), one.frozen);
    uses.iter().map(group).collect()
}

/// What a group of uses sees of a source.
fn view(uses: &[Use], group: &Group, data: Option<&Data>) -> View {
    let of_group = uses
        .iter()
        .filter(|one| one.source == group.0 && one.frozen == group.1);
    of_group.flat_map(|one| seen(one, data)).collect()
}

/// What one use sees: each selected key has a value or none.
fn seen(one: &Use, data: Option<&Data>) -> View {
    let value = |key: &String| data.and_then(|data| data.get(key)).cloned();
    match &one.keys {
        Some(keys) => keys.iter().map(|key| (key.clone(), value(key))).collect(),
        None => {
            let all = data.into_iter().flatten();
            all.map(|(key, value)| (key.clone(), Some(value.clone())))
                .collect()
        }
    }
}

fn is_missing(one: &Use, data: Option<&Data>) -> bool {
    let Some(data) = data else {
        return !one.optional;
    };
    let mut keys = one.keys.iter().flatten();
    !one.optional && keys.any(|key| !data.contains_key(key))
}
