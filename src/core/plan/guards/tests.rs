//! Each guard with its reason and sentence, and the order of the chain.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::core::content::digest::{Digest, DigestKey, KeyId};
use crate::core::history::record::{Origin, Record, Roll, Track, TrackKey};
use crate::core::history::timeline::{Observation, Timeline};
use crate::core::index::{SourceName, View};
use crate::core::object::workload::Workload;
use crate::core::plan::{CHAIN, PodFacts, decide};
use crate::core::policy::{Effective, SourceFilter};
use crate::core::project::reference::Reference;
use crate::core::testing::{World, at, reference};
use crate::kinds::Class;
use crate::kinds::{Rv, SourceKind};

/// Everything that a plan looks at, to be set up as a case needs it.
struct Case {
    synced: bool,
    selected: Selected,
    workload: Workload,
    observed: bool,
    record: Record,
    pods: Vec<PodFacts>,
    unread: Option<SourceName>,
    now: Mono,
}

const SETTLE: Duration = Duration::from_secs(2);
const INTERVAL: Duration = Duration::from_secs(30);

fn seconds(seconds: u64) -> Mono {
    Mono(Duration::from_secs(seconds))
}

fn key() -> TrackKey {
    TrackKey::of(&the_reference())
}

fn the_reference() -> Reference {
    reference("app", Class::Frozen, false)
}

fn observation(content: u8, second: u64) -> Observation {
    Observation {
        digest: Digest {
            key_id: KeyId([0; 4]),
            bytes: [content; 16],
        },
        missing: false,
        rv: Some(Rv(second)),
        edited: Some(Rv(second)),
        required: true,
        created: Some(at(1)),
        data_time: Some(at(second)),
        date: at(second),
        received: seconds(second),
        changed: vec!["a".into()],
        key_went: false,
    }
}

fn pod(name: &str, current: bool, outdated: bool) -> PodFacts {
    PodFacts {
        name: name.into(),
        current,
        state: crate::api::projection::PodState::Fresh,
        outdated: if outdated { vec![(key(), 1)] } else { vec![] },
        unknown: Vec::new(),
        doubtful: Vec::new(),
        revision: None,
        ready: true,
        broken: None,
        until: None,
        refreshed: false,
    }
}

impl Case {
    /// An edit in second 100 that two Pods of the current template lack, with
    /// nothing in the way of a roll.
    fn new() -> Self {
        let mut timeline = Timeline::new(&observation(1, 50), false);
        timeline.observe(&[], (observation(0, 0).digest, true), &observation(2, 100));
        let mut track = Track::new(the_reference().fingerprint(), false);
        track.timeline = Some(timeline);
        let mut record = Record::new("web-uid".into());
        record.tracks = BTreeMap::from([(key(), Box::new(track))]);
        Self {
            synced: true,
            selected: Selected::Managed(Arc::new(Effective {
                policy: None,
                why: String::new(),
                strategy: Strategy::Rollout,
                settle: SETTLE,
                min_interval: INTERVAL,
                suspend: false,
                sources: SourceFilter::default(),
            })),
            workload: World::new([the_reference()]).workload,
            observed: true,
            record,
            pods: vec![pod("web-0", true, true), pod("web-1", true, true)],
            unread: None,
            now: seconds(1000),
        }
    }

    fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    fn policy(&mut self, change: impl FnOnce(&mut Effective)) {
        let Selected::Managed(policy) = &mut self.selected else {
            panic!("not managed");
        };
        change(Arc::make_mut(policy));
    }

    fn track(&mut self) -> &mut Track {
        self.record.tracks.values_mut().next().unwrap()
    }

    fn decide_with<T>(&self, decide: impl FnOnce(&Facts<'_>) -> T) -> T {
        let workload = Arc::new(self.workload.clone());
        let references = self.workload.references.clone();
        let view = View {
            workload: &workload,
            selected: &self.selected,
            references: &references,
            pods: Vec::new(),
            observed: self.observed,
        };
        decide(&Facts {
            synced: self.synced,
            view: &view,
            record: &self.record,
            pods: &self.pods,
            unread: self.unread.as_ref(),
            key: &DigestKey::new(&[7; 32]),
            now: self.now,
        })
    }

    fn decide(&self) -> Decision {
        self.decide_with(decide)
    }
}

/// What makes each guard answer, in the order of the chain.
type Obstacle = (&'static str, fn(&mut Case));

fn not_synced(case: &mut Case) {
    case.synced = false;
}

fn unmanaged(case: &mut Case) {
    case.selected = Selected::NotManaged {
        reason: Reason::NotManaged,
        message: "No policy selects the workload.".into(),
    };
}

fn being_deleted(case: &mut Case) {
    case.workload.terminating = true;
}

fn unseen_write(case: &mut Case) {
    case.record.written = case.workload.rv.map(|rv| Rv(rv.0 + 1));
}

fn unread(case: &mut Case) {
    let mut track = Track::new(the_reference().fingerprint(), false);
    track.missing.clone_from(&case.track().missing);
    let other = TrackKey {
        source: (SourceKind::SECRET, "unread".into()),
        class: Class::Live,
    };
    case.record.tracks.insert(other, Box::new(track));
}

fn missing(case: &mut Case) {
    let gone = Observation {
        missing: true,
        created: None,
        ..observation(0, 100)
    };
    let mut track = Track::new(the_reference().fingerprint(), false);
    track.timeline = Some(Timeline::new(&gone, false));
    track.missing = Some(Missing::Source);
    let other = TrackKey {
        source: (SourceKind::CONFIG_MAP, "gone".into()),
        class: Class::Frozen,
    };
    case.record.tracks.insert(other, Box::new(track));
}

fn edited_unread(case: &mut Case) {
    all_fresh(case);
    case.unread = Some((SourceKind::CONFIG_MAP, "app".into()));
}

fn all_fresh(case: &mut Case) {
    case.pods.iter_mut().for_each(|pod| pod.outdated.clear());
}

fn unobserved(case: &mut Case) {
    case.observed = false;
}

fn older_template(case: &mut Case) {
    case.pods.iter_mut().for_each(|pod| pod.current = false);
}

fn suspend(case: &mut Case) {
    case.policy(|policy| policy.suspend = true);
}

fn observe(case: &mut Case) {
    case.policy(|policy| policy.strategy = Strategy::Observe);
}

fn pause(case: &mut Case) {
    case.workload.paused = true;
}

fn just_edited(case: &mut Case) {
    case.now = seconds(101);
    // Where somebody rolled just now, that was before.
    case.record.last_roll = case.record.last_roll.map(|_| seconds(99));
}

fn just_rolled(case: &mut Case) {
    case.record.last_roll = Some(Mono(case.now.0.saturating_sub(Duration::from_secs(3))));
}

fn contest(case: &mut Case) {
    let base = case.decide_with(roll::base);
    case.record.contest.revision = base.map(Arc::from);
    case.record.contest.removals = REMOVALS;
}

const OBSTACLES: &[Obstacle] = &[
    ("CachesNotSynced", not_synced),
    ("NotManaged", unmanaged),
    ("Terminating", being_deleted),
    ("OwnWriteNotSeen", unseen_write),
    ("SourceNotRead", unread),
    ("SourceMissing", missing),
    ("SourceNotRead", edited_unread),
    ("InSync", all_fresh),
    ("TemplateNotObserved", unobserved),
    ("BeingReplaced", older_template),
    ("Suspended", suspend),
    ("ObserveOnly", observe),
    ("Paused", pause),
    ("Settling", just_edited),
    ("MinimumInterval", just_rolled),
    ("Contested", contest),
];

#[test]
fn each_guard_has_its_reason_and_sentence() {
    let until = |seconds_| Verdict::Wait(Some(seconds(seconds_)));
    let expected: &[(Verdict, &str)] = &[
        (
            Verdict::Wait(None),
            "The first lists of the watches are not complete.",
        ),
        (Verdict::Nothing, "No policy selects the workload."),
        (Verdict::Nothing, "The workload is being deleted."),
        (
            Verdict::Wait(None),
            "The watch has not yet brought our own last write.",
        ),
        (Verdict::Wait(None), "Secret/unread has not been read yet."),
        (
            Verdict::Hold,
            "ConfigMap/gone is required and does not exist: new Pods could not start. Create it, or make the reference optional.",
        ),
        (
            Verdict::Wait(None),
            "ConfigMap/app was edited and has not been read since.",
        ),
        (Verdict::Nothing, "No Pod is outdated."),
        (
            Verdict::Wait(None),
            "The workload's controller has not yet observed its Pod template.",
        ),
        (
            Verdict::Nothing,
            "2 Pods outdated: the workload's controller is replacing them.",
        ),
        (Verdict::Hold, "2 Pods outdated: the policy is suspended."),
        (
            Verdict::Nothing,
            "2 Pods outdated: strategy Observe only reports.",
        ),
        (
            Verdict::Hold,
            "2 Pods outdated: the Deployment is paused; it is rolled once it is resumed.",
        ),
        (
            until(102),
            "2 Pods outdated: edits are collected for 2s from the first.",
        ),
        (
            until(1027),
            "2 Pods outdated: the least time between two rolls is 30s.",
        ),
        (
            Verdict::Hold,
            "2 Pods outdated: somebody else removed annotation projsync.dev/revision from the Pod template 2 times. It is written again once the content changes or the owner changes the template otherwise.",
        ),
    ];
    assert_eq!(OBSTACLES.len(), CHAIN.len());
    assert_eq!(OBSTACLES.len(), expected.len());
    for ((reason, obstacle), (verdict, message)) in OBSTACLES.iter().zip(expected) {
        let decision = Case::new().with(obstacle).decide();
        assert_eq!(decision.reason.as_str(), *reason);
        assert_eq!(decision.verdict, *verdict, "{reason}");
        assert_eq!(decision.message, *message, "{reason}");
    }
}

#[test]
fn an_earlier_guard_answers_first() {
    for (at, pair) in OBSTACLES.windows(2).enumerate() {
        let [(earlier, first), (later, second)] = pair else {
            unreachable!();
        };
        let both = Case::new().with(second).with(first);
        // Each of the two would answer, were it asked.
        for guard in [CHAIN[at], CHAIN[at + 1]] {
            let answer = both.decide_with(guard);
            assert!(answer.is_some(), "{earlier} and {later}");
        }
        let decision = both.decide();
        assert_eq!(decision.reason.as_str(), *earlier, "before {later}");
    }
}

#[test]
fn nothing_in_the_way_is_a_roll() {
    let decision = Case::new().decide();
    assert!(matches!(decision.verdict, Verdict::Roll(_)));
    assert_eq!(decision.reason, Reason::ContentChanged);
    assert_eq!(
        decision.message,
        "2 Pods outdated: ConfigMap/app: a changed."
    );
}

#[test]
fn why_a_workload_is_not_managed_is_told() {
    for reason in [
        Reason::NotManaged,
        Reason::PolicyNotFound,
        Reason::PolicyInvalid,
    ] {
        let case = Case::new().with(|case| {
            case.selected = Selected::NotManaged {
                reason,
                message: "Why.".into(),
            };
        });
        let decision = case.decide();
        assert_eq!((decision.reason, &*decision.message), (reason, "Why."));
    }
}

#[test]
fn what_is_stored_is_not_acted_on_before_its_source_is_looked_at() {
    for origin in [Origin::Stored, Origin::Foreign] {
        let decision = Case::new()
            .with(|case| case.track().origin = origin)
            .decide();
        assert_eq!(decision.reason, Reason::SourceNotRead);
    }
}

#[test]
fn own_write_is_seen_once_the_watch_brings_it_or_a_later_one() {
    for (written, seen) in [(None, true), (Some(0), true), (Some(1), false)] {
        let case = Case::new().with(|case| {
            let rv = case.workload.rv.unwrap();
            case.record.written = written.map(|more| Rv(rv.0 + more));
        });
        assert_eq!(case.decide().reason != Reason::OwnWriteNotSeen, seen);
    }
}

#[test]
fn what_is_missing_is_announced_once_it_outlasts_settle() {
    let mut case = Case::new().with(missing);
    case.now = seconds(101);
    assert_eq!(case.decide().verdict, Verdict::Wait(Some(seconds(102))));
    case.now = seconds(102);
    assert_eq!(case.decide().verdict, Verdict::Hold);
    // An edit of what is still incomplete does not begin it anew.
    let mut again = observation(9, 200);
    again.missing = true;
    let tracks = &mut case.record.tracks;
    let gone = tracks
        .values_mut()
        .find(|track| track.missing.is_some())
        .unwrap();
    gone.missing = Some(Missing::Key("b".into()));
    let timeline = gone.timeline.as_mut().unwrap();
    timeline.observe(&[], (observation(0, 0).digest, true), &again);
    case.now = seconds(201);
    let decision = case.decide();
    assert_eq!(decision.verdict, Verdict::Hold);
    assert_eq!(decision.reason, Reason::KeyMissing);
    assert!(
        decision
            .message
            .starts_with("Key b of ConfigMap/gone is required")
    );
}

#[test]
fn in_sync_says_how_sure_it_is() {
    for (pods, message) in [
        (0, "There are no Pods."),
        (1, "No Pod is outdated."),
        (
            2,
            "No Pod is known to be outdated; of 1 Pod it can't be told.",
        ),
    ] {
        let case = Case::new().with(all_fresh).with(|case| {
            if pods == 2 {
                case.pods[0].unknown.push(key());
            }
            case.pods.truncate(pods);
        });
        assert_eq!(case.decide().message, message);
    }
}

#[test]
fn older_templates_are_left_to_their_controller() {
    let ordinal = |partition, ordered| Update::Ordinal { partition, ordered };
    let broken = |case: &mut Case, at: usize| {
        case.pods[at].ready = false;
        case.pods[at].broken = Some("CrashLoopBackOff".into());
    };
    type Set<'a> = &'a dyn Fn(&mut Case);
    let cases: &[(&str, Set<'_>, Reason, Verdict, &str)] = &[
        (
            "OnDelete",
            &|case| case.workload.update = Update::OnDelete,
            Reason::AwaitingDeletion,
            Verdict::Hold,
            "2 Pods outdated: with update strategy OnDelete each is replaced when somebody deletes it.",
        ),
        (
            "a new Pod crashes",
            &|case| {
                case.pods.push(pod("web-2", true, false));
                broken(case, 2);
            },
            Reason::Blocked,
            Verdict::Hold,
            "2 Pods outdated: the rollout waits for Pod web-2, which is in CrashLoopBackOff.",
        ),
        (
            "an old Pod crashes",
            &|case| broken(case, 0),
            Reason::BeingReplaced,
            Verdict::Nothing,
            "2 Pods outdated: the workload's controller is replacing them.",
        ),
        (
            "an old Pod of an ordered StatefulSet crashes",
            &|case| {
                case.workload.update = ordinal(0, true);
                broken(case, 0);
            },
            Reason::Blocked,
            Verdict::Hold,
            "2 Pods outdated: the rollout waits for Pod web-0, which is in CrashLoopBackOff.",
        ),
        (
            "an old Pod of a parallel StatefulSet crashes",
            &|case| {
                case.workload.update = ordinal(0, false);
                broken(case, 0);
            },
            Reason::BeingReplaced,
            Verdict::Nothing,
            "2 Pods outdated: the workload's controller is replacing them.",
        ),
        (
            "paused",
            &|case| case.workload.paused = true,
            Reason::Paused,
            Verdict::Hold,
            "2 Pods outdated: the Deployment is paused; its controller replaces them once it is resumed.",
        ),
        (
            "no progress",
            &|case| case.workload.stuck = Some("quota exceeded".into()),
            Reason::Blocked,
            Verdict::Hold,
            "2 Pods outdated: the rollout does not progress: quota exceeded",
        ),
        (
            "partition above all",
            &|case| case.workload.update = ordinal(2, true),
            Reason::HeldByPartition,
            Verdict::Hold,
            "2 Pods outdated: partition 2 keeps them on the older template.",
        ),
        (
            "partition above some",
            &|case| case.workload.update = ordinal(1, true),
            Reason::BeingReplaced,
            Verdict::Nothing,
            "2 Pods outdated: the workload's controller is replacing them.",
        ),
    ];
    for (name, set, reason, verdict, message) in cases {
        let decision = Case::new()
            .with(older_template)
            .with(|case| set(case))
            .decide();
        assert_eq!(decision.reason, *reason, "{name}");
        assert_eq!(decision.verdict, *verdict, "{name}");
        assert_eq!(decision.message, *message, "{name}");
    }
    // One of the current template is enough for a roll.
    let mixed = Case::new()
        .with(older_template)
        .with(|case| case.pods[0].current = true);
    assert!(matches!(mixed.decide().verdict, Verdict::Roll(_)));
}

#[test]
fn observe_waits_for_the_kubelet() {
    let case = Case::new().with(observe).with(|case| {
        case.pods[0].until = Some(seconds(1200));
        case.pods[1].until = Some(seconds(1100));
    });
    assert_eq!(case.decide().verdict, Verdict::Wait(Some(seconds(1100))));
}

#[test]
fn settle_and_interval_end_on_time() {
    for (now, settling) in [(100, true), (101, true), (102, false)] {
        let case = Case::new().with(|case| case.now = seconds(now));
        assert_eq!(case.decide().reason == Reason::Settling, settling, "{now}");
    }
    for (ago, waiting) in [(0, true), (29, true), (30, false)] {
        let case = Case::new().with(|case| case.record.last_roll = Some(seconds(1000 - ago)));
        let waits = case.decide().reason == Reason::MinimumInterval;
        assert_eq!(waits, waiting, "{ago}");
    }
    // What a restart took up has been received long ago.
    let case = Case::new().with(|case| {
        case.policy(|policy| policy.settle = Duration::ZERO);
        case.now = seconds(100);
    });
    assert!(matches!(case.decide().verdict, Verdict::Roll(_)));
}

#[test]
fn a_content_without_a_version_is_rolled_in_a_later_second() {
    for (now, settling) in [(100, true), (101, true), (102, false)] {
        let case = Case::new().with(|case| {
            case.policy(|policy| policy.settle = Duration::ZERO);
            let unversioned = |content, second| Observation {
                rv: None,
                edited: None,
                ..observation(content, second)
            };
            let mut timeline = Timeline::new(&unversioned(1, 50), false);
            let absent = (observation(0, 0).digest, true);
            timeline.observe(&[], absent, &unversioned(2, 100));
            case.track().timeline = Some(timeline);
            case.now = seconds(now);
        });
        assert_eq!(case.decide().reason == Reason::Settling, settling, "{now}");
    }
}

#[test]
fn contested_only_for_the_content_that_was_removed() {
    let contested = |set: &dyn Fn(&mut Case)| {
        let case = Case::new().with(contest).with(|case| set(case));
        case.decide().reason == Reason::Contested
    };
    assert!(contested(&|_| {}));
    assert!(contested(&|case| {
        let counted = case
            .record
            .contest
            .revision
            .as_deref()
            .map(|revision| format!("{revision}.3"));
        case.record.contest.revision = counted.map(Arc::from);
    }));
    assert!(!contested(
        &|case| case.record.contest.removals = REMOVALS - 1
    ));
    assert!(!contested(&|case| {
        let digest = (observation(0, 0).digest, true);
        let timeline = case.track().timeline.as_mut().unwrap();
        timeline.observe(&[], digest, &observation(3, 200));
    }));
}

#[test]
fn a_roll_is_noted_in_the_record() {
    let mut case = Case::new();
    let Verdict::Roll(plan) = case.decide().verdict else {
        panic!("no roll");
    };
    let roll = Roll {
        revision: plan.revision.clone(),
        time: at(1000),
        rv: Some(Rv(5000)),
        causes: plan.causes,
    };
    for _ in 0..8 {
        case.record.rolled(roll.clone(), &plan.base, case.now);
    }
    assert_eq!(case.record.rolls.len(), crate::core::history::record::ROLLS);
    assert_eq!(case.decide().reason, Reason::OwnWriteNotSeen);
}
