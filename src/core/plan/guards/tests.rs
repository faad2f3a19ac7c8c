//! Each guard with its reason and sentence, and the order of the chain.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::api::reasons::Reason;
use crate::api::rules::{Rules, Strategy};
use crate::core::content::digest::{Digest, DigestKey, KeyId, Missing};
use crate::core::history::record::{Health, Record, Roll, Track, TrackKey};
use crate::core::history::timeline::{Absence, Observation, Timeline};
use crate::core::index::{SourceName, View};
use crate::core::object::workload::{Update, Workload};
use crate::core::plan::act::roll;
use crate::core::plan::facts::ManagedFacts;
use crate::core::plan::guards::pace::REMOVALS;
use crate::core::plan::{Act, CHAIN, Decision, Facts, PodFacts, Verdict, decide};
use crate::core::policy::{Effective, PolicyId, Selected};
use crate::core::project::reference::Reference;
use crate::core::testing::{World, at, reference};
use crate::core::time::{Moment, Mono};
use crate::kinds::{Class, Rv, SourceKind};

/// Everything that a plan looks at, to be set up as a case needs it.
pub(super) struct Case {
    pub(super) synced: bool,
    pub(super) selected: Selected,
    pub(super) workload: Workload,
    pub(super) observed: bool,
    pub(super) record: Record,
    pub(super) pods: Vec<PodFacts>,
    pub(super) unread: Option<SourceName>,
    pub(super) absent: Option<(SourceName, Mono)>,
    pub(super) now: Mono,
}

pub(super) fn seconds(seconds: u64) -> Mono {
    Mono(Duration::from_secs(seconds))
}

pub(super) fn key() -> TrackKey {
    TrackKey::of(&the_reference())
}

pub(super) fn the_reference() -> Reference {
    reference("app", Class::Frozen, false)
}

pub(super) fn observation(content: u8, second: u64) -> Observation<'static> {
    let digest = |content| Digest {
        key_id: KeyId([0; 4]),
        bytes: [content; 16],
    };
    Observation {
        digest: digest(content),
        missing: false,
        absent: Absence {
            digest: digest(0),
            missing: true,
        },
        unread: &[],
        after: None,
        rv: Some(Rv(second)),
        edited: Some(Rv(second)),
        born: false,
        required: true,
        created: Some(at(1)),
        data_time: Some(at(second)),
        date: at(second),
        received: seconds(second),
        changed: vec!["a".into()],
        unnamed: false,
        key_went: false,
    }
}

pub(super) fn pod(name: &str, current: bool, outdated: bool) -> PodFacts {
    PodFacts {
        name: name.into(),
        uid: name.into(),
        current,
        state: crate::api::projection::PodState::Fresh,
        outdated: if outdated { vec![(key(), 1)] } else { vec![] },
        unknown: Vec::new(),
        doubtful: Vec::new(),
        revision: None,
        unready: None,
        until: None,
        refreshed: false,
    }
}

impl Case {
    /// An edit in second 100 that two Pods of the current template lack, with
    /// nothing in the way of a roll.
    pub(super) fn new() -> Self {
        let mut timeline = Timeline::new(&observation(1, 50), false);
        timeline.observe(&observation(2, 100));
        let mut track = Track::new(the_reference().fingerprint(), false);
        track.timeline = Some(timeline);
        let mut record = Record::new("web-uid".into());
        record.tracks = BTreeMap::from([(key(), Box::new(track))]);
        Self {
            synced: true,
            selected: Selected::Managed(Arc::new(Effective {
                rollout: Arc::default(),
                policy: None,
                why: String::new(),
                rules: Rules::default(),
                sources: Arc::default(),
                stopped: None,
            })),
            workload: World::new([the_reference()]).workload,
            observed: true,
            record,
            pods: vec![pod("web-0", true, true), pod("web-1", true, true)],
            unread: None,
            absent: None,
            now: seconds(1000),
        }
    }

    pub(super) fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    pub(super) fn policy(&mut self, change: impl FnOnce(&mut Effective)) {
        let Selected::Managed(policy) = &mut self.selected else {
            panic!("not managed");
        };
        change(Arc::make_mut(policy));
    }

    /// Adds what is known of another source.
    fn add(&mut self, name: &str, track: Track) {
        let key = TrackKey {
            source: (SourceKind::CONFIG_MAP, name.into()),
            class: Class::Frozen,
        };
        self.record.tracks.insert(key, Box::new(track));
    }

    pub(super) fn track(&mut self) -> &mut Track {
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
            absent: self.absent.as_ref().map(|(name, since)| (name, *since)),
        };
        decide(&Facts {
            synced: self.synced,
            unlisted: None,
            view: &view,
            record: &self.record,
            pods: &self.pods,
            unread: self.unread.as_ref(),
            key: &DigestKey::new(&[7; 32]),
            now: Moment {
                mono: self.now,
                server: at(self.now.0.as_secs()),
            },
        })
    }

    /// What is made of the facts where the workload is managed.
    fn ask<T>(&self, ask: impl FnOnce(&ManagedFacts<'_>) -> T) -> T {
        let Selected::Managed(policy) = &self.selected else {
            panic!("not managed");
        };
        self.decide_with(|facts| ask(&ManagedFacts { facts, policy }))
    }

    pub(super) fn decide(&self) -> Decision {
        self.decide_with(decide)
    }
}

/// What makes a guard answer, and its answer.
struct Row {
    reason: Reason,
    obstacle: fn(&mut Case),
    verdict: Verdict,
    message: &'static str,
}

const WAIT: Verdict = Verdict::Wait(None);

const fn until(seconds: u64) -> Verdict {
    Verdict::Wait(Some(Mono(Duration::from_secs(seconds))))
}

/// Shortens the tables.
const fn row(
    reason: Reason,
    obstacle: fn(&mut Case),
    verdict: Verdict,
    message: &'static str,
) -> Row {
    Row {
        reason,
        obstacle,
        verdict,
        message,
    }
}

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

fn many_uses(case: &mut Case) {
    case.workload.too_many_uses = true;
}

fn unseen_write(case: &mut Case) {
    case.record.written = case.workload.rv.map(|rv| Rv(rv.0 + 1));
}

fn unread(case: &mut Case) {
    let track = Track::new(the_reference().fingerprint(), false);
    case.add("unread", track);
}

fn gone(missing: Missing) -> Track {
    let gone = Observation {
        missing: true,
        created: None,
        ..observation(0, 100)
    };
    let mut track = Track::new(the_reference().fingerprint(), false);
    track.timeline = Some(Timeline::new(&gone, false));
    track.missing = Some(missing);
    track
}

pub(super) fn source_gone(case: &mut Case) {
    case.add("gone", gone(Missing::Source));
}

pub(super) fn key_gone(case: &mut Case) {
    case.add("part", gone(Missing::Key("b".into())));
}

fn edited_unread(case: &mut Case) {
    all_fresh(case);
    case.unread = Some((SourceKind::CONFIG_MAP, "app".into()));
}

pub(super) fn all_fresh(case: &mut Case) {
    case.pods.iter_mut().for_each(|pod| pod.outdated.clear());
}

fn unobserved(case: &mut Case) {
    case.observed = false;
}

pub(super) fn older_template(case: &mut Case) {
    case.pods.iter_mut().for_each(|pod| pod.current = false);
}

fn older_paused(case: &mut Case) {
    older_template(case);
    pause(case);
}

fn on_delete(case: &mut Case) {
    older_template(case);
    case.workload.update = Update::OnDelete;
}

fn stuck(case: &mut Case) {
    older_template(case);
    case.workload.stuck = Some("quota exceeded.".into());
}

fn partition(case: &mut Case) {
    older_template(case);
    case.workload.update = Update::Ordinal {
        partition: 2,
        ordered: true,
    };
}

fn stop(case: &mut Case) {
    case.policy(|policy| policy.stopped = Some(PolicyId::cluster("brake")));
}

fn suspend(case: &mut Case) {
    case.policy(|policy| policy.rules.suspend = true);
}

pub(super) fn observe(case: &mut Case) {
    case.policy(|policy| policy.rules.strategy = Strategy::Observe);
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

pub(super) fn contest(case: &mut Case) {
    let base = case.ask(roll::base);
    case.record.contest.revision = base.map(Arc::from);
    case.record.contest.removals = REMOVALS;
}

/// What is asked before the chain.
const FIRST: &[Row] = &[
    row(
        Reason::CachesNotSynced,
        not_synced,
        WAIT,
        "The operator has just started and is still listing objects.",
    ),
    row(
        Reason::NotManaged,
        unmanaged,
        Verdict::Nothing,
        "No policy selects the workload.",
    ),
];

/// One row for each guard of the chain.
const ROWS: &[Row] = &[
    row(
        Reason::Terminating,
        being_deleted,
        Verdict::Nothing,
        "The workload is being deleted.",
    ),
    row(
        Reason::TooManyUses,
        many_uses,
        Verdict::Hold,
        "The Pod template sees ConfigMaps and Secrets in more than 2000 ways, so the workload is not followed.",
    ),
    row(
        Reason::OwnWriteNotSeen,
        unseen_write,
        WAIT,
        "Projsync has rolled the workload and waits until its watch shows the new template.",
    ),
    row(
        Reason::SourceNotRead,
        unread,
        WAIT,
        "ConfigMap/unread has not been read yet.",
    ),
    row(
        Reason::SourceMissing,
        source_gone,
        Verdict::Hold,
        "ConfigMap/gone is required and does not exist, so new Pods could not start. Create it, or make the reference optional.",
    ),
    row(
        Reason::KeyMissing,
        key_gone,
        Verdict::Hold,
        "Key b of ConfigMap/part is required and does not exist, so new Pods could not start. Create it, or make the reference optional.",
    ),
    row(
        Reason::SourceNotRead,
        edited_unread,
        WAIT,
        "ConfigMap/app was edited and has not been read since.",
    ),
    row(
        Reason::InSync,
        all_fresh,
        Verdict::Nothing,
        "No Pod is outdated.",
    ),
    row(
        Reason::TemplateNotObserved,
        unobserved,
        WAIT,
        "The workload's controller has not yet observed the current Pod template.",
    ),
    row(
        Reason::Paused,
        older_paused,
        Verdict::Hold,
        "2 Pods outdated: the Deployment is paused; its rollout goes on once it is resumed.",
    ),
    row(
        Reason::AwaitingDeletion,
        on_delete,
        Verdict::Hold,
        "2 Pods outdated: the update strategy is OnDelete, so a Pod is replaced only when somebody deletes it.",
    ),
    row(
        Reason::Blocked,
        stuck,
        Verdict::Hold,
        "2 Pods outdated: the rollout does not go on: quota exceeded.",
    ),
    row(
        Reason::HeldByPartition,
        partition,
        Verdict::Hold,
        "2 Pods outdated: the update strategy's partition, 2, holds lower ordinals back.",
    ),
    row(
        Reason::BeingReplaced,
        older_template,
        Verdict::Nothing,
        "2 Pods outdated: a rollout is under way, and the workload's controller replaces old Pods.",
    ),
    row(
        Reason::Stopped,
        stop,
        Verdict::Hold,
        "2 Pods outdated: ClusterSyncPolicy brake stops all rolls.",
    ),
    row(
        Reason::Suspended,
        suspend,
        Verdict::Hold,
        "2 Pods outdated: the policy is suspended.",
    ),
    row(
        Reason::ObserveOnly,
        observe,
        Verdict::Hold,
        "2 Pods outdated: the policy's strategy is Observe, so nothing is rolled.",
    ),
    row(
        Reason::Paused,
        pause,
        Verdict::Hold,
        "2 Pods outdated: the Deployment is paused; it is rolled once it is resumed.",
    ),
    row(
        Reason::Settling,
        just_edited,
        until(102),
        "2 Pods outdated: edits are collected for 2s after the first one.",
    ),
    row(
        Reason::MinimumInterval,
        just_rolled,
        until(1027),
        "2 Pods outdated: two rolls are at least 30s apart.",
    ),
    row(
        Reason::Contested,
        contest,
        Verdict::Hold,
        "2 Pods outdated: somebody else has removed the annotation projsync.dev/revision from the Pod template 2 times. It is written again once the content changes, or once its owner changes the template otherwise.",
    ),
];

#[test]
fn each_guard_has_its_reason_and_sentence() {
    let reasons: Vec<Reason> = CHAIN.iter().map(|(reason, _)| *reason).collect();
    let rows: Vec<Reason> = ROWS.iter().map(|row| row.reason).collect();
    assert_eq!(rows, reasons);
    for row in FIRST.iter().chain(ROWS) {
        let decision = Case::new().with(row.obstacle).decide();
        let expected = (row.reason, &row.verdict, row.message);
        let decided = (decision.reason, &decision.verdict, &*decision.message);
        assert_eq!(decided, expected);
    }
}

#[test]
fn an_earlier_guard_answers_first() {
    for (pair, guards) in ROWS.windows(2).zip(CHAIN.windows(2)) {
        let both = Case::new().with(pair[1].obstacle).with(pair[0].obstacle);
        // Each of the two would answer, were it asked.
        for (reason, guard) in guards {
            assert!(both.ask(guard).is_some(), "{reason} in {}", pair[0].message);
        }
        assert_eq!(both.decide().message, pair[0].message);
    }
    let first = Case::new().with(being_deleted).with(unmanaged);
    assert_eq!(first.decide().reason, Reason::NotManaged);
    let first = first.with(not_synced);
    assert_eq!(first.decide().reason, Reason::CachesNotSynced);
}

#[test]
fn nothing_in_the_way_is_a_roll() {
    let decision = Case::new().decide();
    assert!(matches!(decision.verdict, Verdict::Act(Act::Roll(_))));
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
fn a_roll_is_noted_in_the_record() {
    let mut case = Case::new();
    let Verdict::Act(Act::Roll(plan)) = case.decide().verdict else {
        panic!("no roll");
    };
    let roll = Roll {
        revision: plan.revision.clone(),
        time: at(1000),
        rv: Some(Rv(5000)),
        causes: plan.causes,
        health: Health::default(),
    };
    for _ in 0..8 {
        case.record.rolled(roll.clone(), &plan.base, case.now);
    }
    assert_eq!(case.record.rolls.len(), crate::api::limits::MAX_ROLLS);
    assert_eq!(case.decide().reason, Reason::OwnWriteNotSeen);
}
