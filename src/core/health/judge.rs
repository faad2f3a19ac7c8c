//! From one state of a roll to the next.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::api::projection::RollState;
use crate::core::health::complete::is_complete;
use crate::core::health::failing::{Failing, WINDOW, started_but_not_ready};
use crate::core::health::seen::{Seen, new_pods, with_its_content};
use crate::core::history::record::{Health, Record, Trouble};
use crate::core::object::pod::Pod;
use crate::core::object::workload::Update;
use crate::core::time::{Moment, Mono};

/// How soon it is looked again whether all that happened in the soak has been seen.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// What is remembered of the last roll besides what is stored. After a restart waits begin
/// anew.
#[derive(Debug, Default)]
pub struct Watched {
    /// The revision of that roll.
    revision: Option<Arc<str>>,
    /// Since when which Pods fail, by uid.
    failing: BTreeMap<Arc<str>, Mono>,
    /// The most Pods of the roll that were seen, and that were ready.
    best: (usize, usize),
    /// When there was progress last.
    progress: Mono,
    /// Whether a container seems to fail.
    suspect: bool,
}

/// What is wrong with the Pods of a roll.
#[derive(Default)]
struct Findings {
    /// What certainly failed, by a container's fault.
    failed: Option<Trouble>,
    /// Whether a container may be about to fail.
    doubt: bool,
    /// Whether a container seems to fail.
    suspect: bool,
    /// What lasts, and accuses nobody.
    stuck: Option<Trouble>,
    /// When there may be more to say.
    next: Option<Mono>,
}

// === impl Watched ===

impl Watched {
    /// Judges the last roll of a workload. Returns when it may be judged otherwise though
    /// nothing happens.
    pub fn judge(&mut self, record: &mut Record, seen: &Seen<'_>) -> Option<Mono> {
        let workload = seen.view.workload;
        let roll = record.rolls.last_mut()?;
        let in_force = workload.template.revision.as_ref() == Some(&roll.revision);
        if workload.replicas == 0 && roll.health.state == RollState::Complete {
            // Without Pods nothing shows whether it stays healthy.
            (roll.health.state, roll.health.completed) = (RollState::Rolling, None);
        }
        if workload.replicas == 0 && roll.health.state == RollState::Failed {
            return forget_failure(&mut roll.health, seen.now);
        }
        if !in_force || !seen.view.observed || workload.replicas == 0 {
            return None;
        }
        if self.revision.as_ref() != Some(&roll.revision) {
            *self = Self {
                revision: Some(roll.revision.clone()),
                progress: seen.now.mono,
                ..Self::default()
            };
        }
        let before = roll.health.state;
        let findings = self.findings(&roll.health, seen);
        self.suspect = findings.suspect;
        let next = self.advance(&mut roll.health, findings, seen);
        let (state, made) = (roll.health.state, roll.time);
        if state == before {
            return next;
        }
        // What its Pods don't have it says nothing of.
        let tracks = record.tracks.iter_mut();
        for (_, track) in tracks.filter(|(key, _)| !seen.lacked.contains(key)) {
            let timeline = track.timeline.as_mut();
            match (timeline, state) {
                (Some(timeline), RollState::Good) => timeline.mark_good(seen.now.server),
                // What it has proven itself only seemed to be good.
                (Some(timeline), RollState::Failed) => timeline.unmark_good(made),
                _ => {}
            }
        }
        next
    }

    /// Whether a container that started with the roll seems to fail.
    #[must_use]
    pub fn is_suspect(&self) -> bool {
        self.suspect
    }

    /// Looks at the Pods of the roll.
    fn findings(&mut self, health: &Health, seen: &Seen<'_>) -> Findings {
        let now = seen.now;
        let failing: Vec<(&Pod, Failing)> = with_its_content(seen)
            .filter_map(|pod| Some((pod, Failing::of(pod, now.server)?)))
            .collect();
        self.failing
            .retain(|uid, _| failing.iter().any(|(pod, _)| pod.uid == *uid));
        let mut findings = Findings::default();
        let mut next = |at: Mono| {
            if at > now.mono {
                findings.next = Some(findings.next.map_or(at, |next| next.min(at)));
            }
        };
        for (pod, failing) in failing {
            let since = *self.failing.entry(pod.uid.clone()).or_insert(now.mono);
            let (suspected, certain) = (since + failing.suspected, since + failing.certain);
            next(suspected);
            next(certain);
            let trouble = (now.mono >= certain).then(|| Trouble {
                pod: Some(pod.name.clone()),
                reason: failing.reason,
                since: now.server,
            });
            match failing.accuses && health.unready == Some(0) {
                true => {
                    findings.doubt = true;
                    findings.suspect |= now.mono >= suspected;
                    findings.failed = findings.failed.or(trouble);
                }
                false => findings.stuck = findings.stuck.or(trouble),
            }
        }
        findings
    }

    /// Moves on by what was found. Returns when there may be more to say.
    fn advance(
        &mut self,
        health: &mut Health,
        findings: Findings,
        seen: &Seen<'_>,
    ) -> Option<Mono> {
        let next = findings.next;
        if let Some(trouble) = findings.failed {
            end(health, RollState::Failed, trouble);
            return next;
        }
        if findings.suspect {
            if health.state == RollState::Complete {
                health.state = RollState::Rolling;
            }
            if health.state != RollState::Good {
                health.completed = None;
            }
            return next;
        }
        if findings.doubt && health.state == RollState::Complete {
            return next;
        }
        // A Pod that is lost later says nothing of the content, as long as another is ready.
        let ready = new_pods(seen.view).any(|pod| pod.ready);
        let soaks = health.state == RollState::Complete && ready;
        if soaks || is_complete(health, seen) {
            self.progress = seen.now.mono;
            return earlier(next, complete(health, seen));
        }
        if health.state == RollState::Failed {
            health.completed = None;
        }
        match health.state {
            RollState::Good | RollState::Failed => next,
            RollState::Complete | RollState::Rolling | RollState::Stuck => {
                earlier(next, self.go_on(health, findings.stuck, seen))
            }
        }
    }

    /// Where Pods are still to be replaced or to become ready.
    fn go_on(
        &mut self,
        health: &mut Health,
        stuck: Option<Trouble>,
        seen: &Seen<'_>,
    ) -> Option<Mono> {
        let workload = seen.view.workload;
        let new = new_pods(seen.view);
        let count = (new.clone().count(), new.filter(|pod| pod.ready).count());
        let best = (self.best.0.max(count.0), self.best.1.max(count.1));
        if best != self.best {
            self.best = best;
            self.progress = seen.now.mono;
        }
        let for_people = match workload.update {
            Update::OnDelete => true,
            Update::Ordinal { partition, .. } => partition > 0,
            Update::Automatic => workload.paused,
        };
        let deadline = self.progress + seen.deadline;
        let late = !for_people && seen.now.mono >= deadline;
        if let Some(trouble) = stuck {
            end(health, RollState::Stuck, trouble);
        } else if late || workload.stuck.is_some() {
            let slow = new_pods(seen.view).find(|pod| started_but_not_ready(pod));
            let accused = slow.filter(|_| health.unready == Some(0));
            let state = match accused {
                Some(_) => RollState::Failed,
                None => RollState::Stuck,
            };
            let trouble = Trouble {
                pod: slow.map(|pod| pod.name.clone()),
                reason: if slow.is_some() {
                    "NotReady"
                } else {
                    "NoProgress"
                }
                .into(),
                since: seen.now.server,
            };
            end(health, state, trouble);
        } else {
            health.state = RollState::Rolling;
            (health.trouble, health.completed) = (None, None);
        }
        (!for_people && !late).then_some(deadline)
    }
}

/// Without Pods nothing fails any longer; after a while another workload may try the same.
fn forget_failure(health: &mut Health, now: Moment) -> Option<Mono> {
    let since = health.completed.get_or_insert(now).mono;
    if now.mono >= since + WINDOW {
        (health.state, health.completed) = (RollState::Stuck, None);
        return None;
    }
    Some(since + WINDOW)
}

/// Takes in that the roll failed or is stuck.
fn end(health: &mut Health, state: RollState, trouble: Trouble) {
    health.completed = None;
    let known = health.trouble.as_ref().filter(|_| health.state == state);
    // What failed it first; between two crashes there may be another word for it.
    if known.is_none_or(|known| state == RollState::Stuck && known.reason != trouble.reason) {
        health.trouble = Some(trouble);
    }
    health.state = state;
}

/// Takes in that the roll is complete and nothing fails.
fn complete(health: &mut Health, seen: &Seen<'_>) -> Option<Mono> {
    let completed = health.completed.get_or_insert(seen.now).mono;
    let lasts = |wait: Duration| {
        let seen = seen.until.map(|until| until.mono);
        seen.is_some_and(|seen| seen >= completed + wait)
    };
    let wait = match health.state {
        RollState::Good => return None,
        RollState::Failed => seen.soak.max(WINDOW),
        RollState::Rolling | RollState::Stuck | RollState::Complete => seen.soak,
    };
    let proves = health.unready == Some(0);
    if health.state != RollState::Failed || lasts(wait) {
        health.state = match proves && lasts(wait) && health.state == RollState::Complete {
            true => RollState::Good,
            false => RollState::Complete,
        };
        health.trouble = None;
    }
    let goes_on = health.state == RollState::Failed || proves && health.state != RollState::Good;
    goes_on.then(|| (completed + wait).max(seen.now.mono + LOOK_AGAIN))
}

fn earlier(one: Option<Mono>, other: Option<Mono>) -> Option<Mono> {
    one.into_iter().chain(other).min()
}
