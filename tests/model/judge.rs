//! What follows from what happened.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use super::{
    Broken, Data, Gap, Group, Model, Pod, Policy, Rv, Second, Subject, Use, Version, View, groups,
    is_missing, view,
};

/// Within how many seconds a version of a source is read, unless something fails.
pub(super) const READ_WITHIN: Second = 3;

/// By how many seconds a node's clock may be wrong.
const CLOCKS: Second = 11;

/// What the operator says of a workload once all has come to rest.
#[derive(Clone, Debug, Default)]
pub(crate) struct Told {
    pub(crate) reason: String,
    pub(crate) total: usize,
    /// `Fresh`, `Stale`, `Refreshing`, `Unknown`: how many.
    pub(crate) counts: [usize; 4],
    /// The state of each Pod that isn't `Fresh`, by name.
    pub(crate) not_fresh: BTreeMap<String, String>,
}

/// What may be said of a Pod in one group of uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Standing {
    Current,
    Unknown,
    Outdated,
}

// === Rolls ===

impl Model {
    /// Notes a roll by the operator, and says what is wrong with it. It is made in
    /// version `rv`; the operator certainly knows of all that happened up to `known`.
    ///
    /// # Errors
    /// Where no Pod can need it.
    pub(crate) fn rolled(
        &mut self,
        workload: &str,
        rv: Rv,
        second: Second,
        known: Rv,
    ) -> Result<(), Broken> {
        let subject = self
            .workloads
            .get(workload)
            .ok_or_else(|| format!("{workload} is rolled, and does not exist"))?;
        let judged = self.judge_roll(workload, subject, (second, known));
        if let Some(subject) = self.workloads.get_mut(workload) {
            subject.rolls.push((rv, second));
            subject.unrecorded = false;
        }
        self.newest = self.newest.max(rv);
        judged.map_err(|why| format!("{workload} is rolled in version {rv}, {why}"))
    }

    fn judge_roll(
        &self,
        workload: &str,
        subject: &Subject,
        (second, known): (Second, Rv),
    ) -> Result<(), Broken> {
        let policies = subject.policies_since(known);
        let acts = |policy: &Policy| !policy.observe && !policy.suspend;
        if !policies.iter().flatten().any(acts) {
            return Err(format!("and no policy asks for that: {policies:?}"));
        }
        if subject.now.paused {
            return Err("and is paused".to_owned());
        }
        if subject
            .now
            .uses
            .iter()
            .any(|one| self.was_missing_throughout(one, known))
        {
            return Err("and new Pods can't start".to_owned());
        }
        if let Some((_, last)) = subject.rolls.last().filter(|_| !subject.unrecorded) {
            let since = subject.rolls.last().map_or(0, |(rv, _)| *rv);
            let policies = subject.policies_since(since.min(known));
            let least = policies
                .iter()
                .map(|policy| policy.map_or(0, |policy| policy.min_interval));
            let least = least.min().unwrap_or(0);
            if second - last < least - 1 {
                return Err(format!(
                    "{} s after the last roll; {least} s are the least",
                    second - last
                ));
            }
        }
        // That a Pod is gone may not be known yet.
        let lately = self.gone.iter().filter(|(rv, _)| *rv >= known);
        let pods = self.pods.values().chain(lately.map(|(_, pod)| pod));
        let mut pods = pods.filter(|pod| {
            pod.workload == workload
                && pod.template == subject.now.template
                && pod.started.is_some()
        });
        let needs = |pod: &Pod| {
            let uses = subject.uses_of(pod);
            groups(uses).iter().any(|group| {
                let may_have = self.may_have(subject, pod, group);
                let now = self.views(uses, group, known..=self.newest);
                may_have.iter().any(|has| match has {
                    Some(has) => now.iter().any(|now| now != has),
                    None => true,
                })
            })
        };
        if !pods.any(needs) {
            return Err("and each Pod of its template has the newest content".to_owned());
        }
        Ok(())
    }

    fn was_missing_throughout(&self, one: &Use, known: Rv) -> bool {
        let held = self.held(&one.source, known..=self.newest);
        held.into_iter().all(|data| is_missing(one, data))
    }
}

// === Pods ===

impl Model {
    /// What a Pod really has of a group: more than one where it isn't known when
    /// its containers read it. After a restart that is known by the second.
    fn has(&self, subject: &Subject, pod: &Pod, group: &Group) -> Vec<View> {
        let Some(started) = &pod.started else {
            return Vec::new();
        };
        let listed = |gap: &Gap| *gap.seconds.end() >= pod.started_second;
        let from = match subject.gaps_of(group).any(listed) {
            true => self.before_second(pod.started_second).max(pod.created),
            false => *started.start(),
        };
        let span = from.min(*started.start())..=*started.end();
        match pod.has.get(group) {
            Some(has) if from == *started.start() => vec![has.clone()],
            has => {
                let mut views = self.views(subject.uses_of(pod), group, span);
                views.extend(has.cloned());
                views
            }
        }
    }

    /// What a Pod may count as having, given what can be known of its start;
    /// `None` stands for a version that nobody can have read.
    fn may_have(&self, subject: &Subject, pod: &Pod, group: &Group) -> Vec<Option<View>> {
        let uses = subject.uses_of(pod);
        let Some(started) = &pod.started else {
            return Vec::new();
        };
        let from = self.earliest(subject, pod, group);
        let span = from..=(*started.end()).max(from);
        let mut may_have = Vec::new();
        let unread = self.unread(subject, uses, group, &span);
        may_have.extend(unread.into_iter().map(Some));
        if self.is_older_than_an_added_use(subject, pod, group) {
            may_have.push(None);
        }
        // What ran at first sight without what it requires has something unknown.
        let of_group = |one: &&Use| one.source == group.0 && one.frozen == group.1;
        let first_sight = |gap: &&Gap| *gap.seconds.start() == Second::MIN;
        may_have.extend(
            subject
                .gaps_of(group)
                .filter(first_sight)
                .filter(|gap| pod.began_in(Second::MIN, *gap.seconds.end()))
                .filter(|gap| {
                    let end = *gap.seconds.end();
                    let found = self.before_second(end - 4)..=self.before_second(end + READ_WITHIN);
                    let held = self.held(&group.0, found);
                    let mut of_group = uses.iter().filter(of_group);
                    of_group.any(|one| held.iter().any(|data| is_missing(one, *data)))
                })
                .map(|_| None),
        );
        // Nothing has what it can't start with.
        let could_start = |data: &Option<&Data>| {
            let mut of_group = uses.iter().filter(of_group);
            of_group.all(|one| !is_missing(one, *data))
        };
        let held = self.held(&group.0, span).into_iter().filter(could_start);
        may_have.extend(held.map(|data| Some(view(uses, group, data))));
        may_have.extend(self.found(subject, pod, group).into_iter().map(Some));
        may_have
    }

    /// What was read before and after the versions in `span` that may have been edited
    /// over before they were read; nothing where there are none. A Pod that started in
    /// one of them has something that nobody knows: it may count as having any of these.
    /// Where they are all the same nothing says that it has anything else.
    fn unread(
        &self,
        subject: &Subject,
        uses: &[Use],
        group: &Group,
        span: &RangeInclusive<Rv>,
    ) -> Vec<View> {
        let versions = self.sources.get(&group.0).map_or(&[][..], Vec::as_slice);
        let quickly_over = |at: &usize| {
            let version = &versions[*at];
            let gaps = subject.gaps_of(group).map(|gap| &gap.seconds);
            let mut slow = gaps.chain(&self.slow);
            versions.get(at + 1).is_some_and(|next| {
                let within = |span: &RangeInclusive<Second>| {
                    *span.start() <= version.second + READ_WITHIN
                        && *span.end() >= version.second
                        && next.second <= *span.end() + READ_WITHIN
                };
                next.second - version.second <= READ_WITHIN || slow.any(within)
            })
        };
        let first = versions.partition_point(|version| version.rv <= *span.start());
        let end = versions.partition_point(|version| version.rv <= *span.end());
        let mut around = BTreeSet::new();
        for at in (first.saturating_sub(1)..end).filter(quickly_over) {
            let before = (0..at).rev().take_while(quickly_over).last().unwrap_or(at);
            let after = (at..versions.len()).find(|at| !quickly_over(at));
            around.extend(before.saturating_sub(1)..=after.unwrap_or(at));
        }
        let data = around.into_iter().map(|at| versions[at].data.as_ref());
        data.map(|data| view(uses, group, data)).collect()
    }

    /// The version from which on a Pod's start can't be told apart from its own.
    fn earliest(&self, subject: &Subject, pod: &Pod, group: &Group) -> Rv {
        let later = |gap: &&Gap| *gap.seconds.end() >= pod.second;
        let mut from = pod.created;
        for gap in subject.gaps_of(group).filter(later) {
            from = from.min(self.before_second(pod.second));
            let start = *gap.seconds.start();
            if start != Second::MIN && pod.second >= start - 1 {
                from = from.min(self.before_second(start - 1));
            }
        }
        from
    }

    /// What may be said of a Pod in a group.
    fn standings(&self, subject: &Subject, pod: &Pod, group: &Group) -> BTreeSet<Standing> {
        let uses = subject.uses_of(pod);
        let now = self.view_now(uses, group);
        let mut may = BTreeSet::new();
        if pod.started.is_none() {
            return [Standing::Current].into();
        }
        if self.has(subject, pod, group).contains(&now)
            || self.is_beyond_knowing(subject, pod, group)
        {
            may.insert(Standing::Current);
        }
        let outdated = |has: &Option<View>| has.as_ref() != Some(&now);
        if self.may_have(subject, pod, group).iter().any(outdated) {
            may.insert(Standing::Outdated);
        }
        let from = self.earliest(subject, pod, group);
        let span = from..=pod.started.as_ref().map_or(from, |started| *started.end());
        let mut untold = self.found(subject, pod, group);
        untold.extend(self.unread(subject, uses, group, &span));
        if untold.contains(&now) {
            may.insert(Standing::Unknown);
        }
        may
    }

    /// Whether the template added this use of a source, and the source was edited after the
    /// Pod started but before it was read for the first time. What was edited nobody can
    /// know, and a change is not to be missed: the Pod counts as outdated.
    fn is_older_than_an_added_use(&self, subject: &Subject, pod: &Pod, group: &Group) -> bool {
        let versions = self.sources.get(&group.0).map_or(&[][..], Vec::as_slice);
        let unwatched = || subject.gaps.iter().filter(|gap| gap.source.is_none());
        let mut added = subject.gaps_of(group).filter(|gap| gap.source.is_some());
        added.any(|gap| {
            let mut read_by = *gap.seconds.end();
            for span in unwatched().map(|gap| &gap.seconds).chain(&self.failed) {
                if span.contains(&read_by) {
                    read_by = *span.end();
                }
            }
            let span = pod.second - 1..=read_by + READ_WITHIN;
            *gap.seconds.start() == Second::MIN
                && versions
                    .iter()
                    .any(|version| span.contains(&version.second))
        })
    }

    /// What was found after each span in which nobody watched and a Pod started, where
    /// an edit of that time may be older or newer than the start. The Pod may count as
    /// having that: it is unknown while that holds, and outdated once it has changed.
    fn found(&self, subject: &Subject, pod: &Pod, group: &Group) -> Vec<View> {
        let versions = self.sources.get(&group.0).map_or(&[][..], Vec::as_slice);
        let found = subject.gaps_of(group).filter_map(|gap| {
            let start = gap.seconds.start().saturating_sub(1);
            let failed = self.failed.iter();
            let failed = failed.filter(|span| span.contains(gap.seconds.end()));
            let end = failed.map(|span| *span.end()).max();
            let end = end.unwrap_or(*gap.seconds.end());
            let span = start.max(pod.second - 1)..=end + 1;
            let edited = versions
                .iter()
                .any(|version| span.contains(&version.second) || version.stamp == Second::MAX);
            // Where reads fail, any of that time may be the first that succeeds.
            let found =
                self.before_second(*gap.seconds.end())..=self.before_second(end + READ_WITHIN);
            (pod.began_in(start, end) && edited)
                .then(|| self.views(subject.uses_of(pod), group, found))
        });
        found.flatten().collect()
    }

    /// Known limits (docs/limits.md): what happened in a gap without leaving a trace.
    /// A removal of keys moves no time. And where something required is missing, a Pod
    /// of about the time in which it appears may have been waiting for it.
    fn is_beyond_knowing(&self, subject: &Subject, pod: &Pod, group: &Group) -> bool {
        let versions = self.sources.get(&group.0).map_or(&[][..], Vec::as_slice);
        subject.gaps_of(group).any(|gap| {
            let (start, end) = (*gap.seconds.start(), *gap.seconds.end());
            if !pod.began_in(start.saturating_sub(1), end) {
                return false;
            }
            let after = versions.partition_point(|version| version.second <= end + 1);
            let Some(at_end) = after.checked_sub(1).map(|at| &versions[at]) else {
                return true;
            };
            let lately = |appeared: &Version| appeared.second <= pod.started_second + CLOCKS;
            at_end.stamp <= pod.started_second
                || at_end.data.is_none() && versions.get(after).is_none_or(lately)
        })
    }

    /// What may be said of a Pod as a whole.
    fn states(&self, subject: &Subject, pod: &Pod) -> BTreeSet<&'static str> {
        let observe = subject.policy().is_some_and(|policy| policy.observe);
        let mut all: Vec<(bool, BTreeSet<Standing>)> = Vec::new();
        let uses = subject.uses_of(pod);
        for group in groups(uses) {
            let mut standings = self.standings(subject, pod, &group);
            // The kubelet has long refreshed the files, if it could.
            let missing = uses
                .iter()
                .filter(|one| (&one.source, one.frozen) == (&group.0, group.1))
                .any(|one| is_missing(one, self.data_now(&one.source)));
            if !missing && observe && !group.1 && standings.remove(&Standing::Outdated) {
                standings.insert(Standing::Current);
            }
            all.push((group.1, standings));
        }
        let mut states: BTreeSet<&'static str> = ["Fresh"].into();
        for (frozen, standings) in all {
            let joined = states.iter().flat_map(|state| {
                standings
                    .iter()
                    .map(move |standing| join(state, *standing, frozen))
            });
            states = joined.collect();
        }
        states
    }
}

/// The state of a Pod that is in `state`, given one more group.
fn join(state: &'static str, standing: Standing, frozen: bool) -> &'static str {
    const ORDER: [&str; 4] = ["Fresh", "Unknown", "Refreshing", "Stale"];
    let own = match (standing, frozen) {
        (Standing::Current, _) => 0,
        (Standing::Unknown, _) => 1,
        (Standing::Outdated, false) => 2,
        (Standing::Outdated, true) => 3,
    };
    let before = ORDER.iter().position(|one| *one == state).unwrap_or(0);
    ORDER[own.max(before)]
}

// === At rest ===

impl Model {
    /// Says what is wrong with what the operator says of a workload, once all has
    /// come to rest.
    ///
    /// # Errors
    /// Where it isn't the truth, or a Pod is left outdated for no reason.
    pub(crate) fn at_rest(&self, workload: &str, told: Option<&Told>) -> Result<(), Broken> {
        let Some(subject) = self.workloads.get(workload) else {
            return Ok(());
        };
        let Some(policy) = subject.policy() else {
            return Ok(());
        };
        let told = told.ok_or_else(|| format!("{workload} has no Projection"))?;
        self.check_counts(workload, told)?;
        for pod in self.pods.values().filter(|pod| pod.workload == workload) {
            let said = told
                .not_fresh
                .get(&pod.name)
                .map_or("Fresh", String::as_str);
            let may = self.states(subject, pod);
            // Of a Pod of another template it says what matters to the template of now.
            let comparable = pod.template == subject.now.template || pod.uses == subject.now.uses;
            if comparable && !may.contains(said) {
                return Err(format!(
                    "Pod {} of {workload} is said to be {said}, and can only be {may:?}: {pod:?}",
                    pod.name
                ));
            }
        }
        self.check_reason(workload, subject, policy, told)?;
        let may = subject.changes + subject.disturbed;
        if subject.rolls.len() > may {
            return Err(format!(
                "{workload} was rolled {} times; there were {may} changes",
                subject.rolls.len()
            ));
        }
        Ok(())
    }

    fn check_counts(&self, workload: &str, told: &Told) -> Result<(), Broken> {
        let pods = self.pods.values().filter(|pod| pod.workload == workload);
        let (total, said) = (pods.count(), told.counts.iter().sum::<usize>());
        let not_fresh = told.not_fresh.len();
        if total != told.total || said != total || told.counts[0] != total - not_fresh {
            return Err(format!("{workload} has {total} Pods, not {told:?}"));
        }
        Ok(())
    }

    fn check_reason(
        &self,
        workload: &str,
        subject: &Subject,
        policy: Policy,
        told: &Told,
    ) -> Result<(), Broken> {
        let reason = told.reason.as_str();
        let outdated = told.counts[1] + told.counts[2] > 0;
        let older = || {
            let pods = self.pods.values().filter(|pod| pod.workload == workload);
            pods.into_iter()
                .any(|pod| pod.template != subject.now.template)
        };
        let held_back = matches!(reason, "SourceMissing" | "KeyMissing");
        let fits = match reason {
            // At rest only a workload that wants no Pods has none, or one that was paused before
            // it made any. Where none is wanted, nothing can fail to start.
            _ if self.is_missing(&subject.now.uses) && told.total > 0 => held_back,
            _ if held_back => self.is_missing(&subject.now.uses) && subject.now.paused,
            "InSync" => !outdated,
            _ if !outdated => false,
            "Suspended" => policy.suspend,
            "ObserveOnly" => policy.observe,
            "Paused" => subject.now.paused,
            "Blocked" => subject.now.ordered && self.is_stuck(workload),
            "AwaitingDeletion" => subject.now.on_delete && older(),
            "Contested" => {
                let now = self.projected(workload);
                let same = subject.removals.iter().filter(|then| **then == now);
                same.count() >= 2
            }
            _ => false,
        };
        if fits {
            return Ok(());
        }
        Err(format!(
            "{workload} is at rest with {reason}, which does not fit: {told:?}"
        ))
    }
}

impl Model {
    /// Whether a Pod of it can't start, so that one that replaces Pods in order stops.
    fn is_stuck(&self, workload: &str) -> bool {
        let mut pods = self.pods.values().filter(|pod| pod.workload == workload);
        pods.any(|pod| pod.started.is_none() && self.is_missing(&pod.uses))
    }
}

// === impl Pod ===

impl Pod {
    /// Whether it was created, or last started, between two seconds.
    fn began_in(&self, start: Second, end: Second) -> bool {
        [self.second, self.started_second]
            .iter()
            .any(|second| (start..=end).contains(second))
    }
}

// === impl Subject ===

impl Subject {
    fn policy(&self) -> Option<Policy> {
        self.policies.last().and_then(|(_, policy)| *policy)
    }

    /// What counts of a Pod: of its own template it has its own uses, for a webhook may have
    /// put some into it and not into others.
    fn uses_of<'a>(&'a self, pod: &'a Pod) -> &'a [Use] {
        match pod.template == self.now.template {
            true => &pod.uses,
            false => &self.now.uses,
        }
    }

    /// The policies in force somewhere from `since` on.
    fn policies_since(&self, since: Rv) -> Vec<Option<Policy>> {
        let first = self.policies.partition_point(|(rv, _)| *rv <= since);
        let policies = &self.policies[first.saturating_sub(1)..];
        policies.iter().map(|(_, policy)| *policy).collect()
    }

    fn gaps_of<'a>(&'a self, group: &'a Group) -> impl Iterator<Item = &'a Gap> {
        self.gaps
            .iter()
            .filter(|gap| gap.source.as_ref().is_none_or(|one| *one == group.0))
    }
}
