use super::*;
use crate::core::testing::{World, config_map, reference};
use crate::kinds::Class;

/// The state of an operator that watches a small cluster.
struct Scene {
    world: World,
    state: State,
}

impl Scene {
    /// A Deployment with one Pod, in sync, whose Projection is written.
    fn new() -> Self {
        let mut world = World::new([reference("app", Class::Frozen, false)]);
        world.write("app", &[("a", "1")]);
        world.wait_secs(10);
        world.pod("web-1");
        world.wait_secs(10);
        let mut state = State::new(Settings {
            key: world.key.clone(),
            comparable: true,
            refresh_bound: Duration::from_secs(120),
            cluster_wide: false,
        });
        state.synced = true;
        let mut scene = Self { world, state };
        scene.seen();
        assert_eq!(scene.plan().decision.reason, Reason::InSync);
        scene.written();
        scene
    }

    /// Takes in what happened in the cluster, and reads what lags behind.
    fn seen(&mut self) {
        self.state.index = std::mem::take(&mut self.world.index);
        let affected = Affected {
            workloads: [World::id()].into(),
            ..Affected::default()
        };
        self.state.align(&affected, self.world.now());
        let (content, id) = (self.world.content("app"), config_map("app"));
        let (date, now) = (self.world.time(), self.world.now());
        if self.state.need(&id) == Need::Read {
            self.state.take_in(&id, &content, date, now);
        }
        self.world.index = std::mem::take(&mut self.state.index);
    }

    fn with<T>(&mut self, act: impl FnOnce(&mut State, Mono) -> T) -> T {
        std::mem::swap(&mut self.state.index, &mut self.world.index);
        let done = act(&mut self.state, self.world.now());
        std::mem::swap(&mut self.state.index, &mut self.world.index);
        done
    }

    /// Plans, with everything up to five seconds ago seen for sure.
    fn plan(&mut self) -> Planned {
        let settled = self.world.time() - jiff::SignedDuration::from_secs(5);
        self.with(|state, now| {
            let since = Mono(now.0.saturating_sub(Duration::from_secs(5)));
            state.plan(&World::id(), now, Some((settled, since)))
        })
    }

    fn report(&mut self) -> Report {
        self.report_at(Pace::Coalesced)
    }

    fn report_at(&mut self, pace: Pace) -> Report {
        let server = self.world.time();
        self.with(|state, now| state.report(&World::id(), Clock { now, server }, pace))
    }

    /// Changes the content and rolls: what the workload's controller does follows.
    fn roll(&mut self) {
        self.world.write("app", &[("a", "2")]);
        self.seen();
        self.world.wait_secs(5);
        let planned = self.plan();
        let Step::Roll(Order { plan, .. }) = planned.step else {
            panic!("{planned:?}");
        };
        self.world.patch(&plan);
        let Some(roll) = self.world.record.rolls.last().cloned() else {
            panic!("not rolled");
        };
        self.with(|state, now| state.rolled(&World::id(), roll, &plan.base, now));
    }

    /// How long a Projection that is to be written has to wait.
    fn wait(&mut self) -> Duration {
        match self.report() {
            Report::After(wait) => wait,
            other => panic!("{other:?}"),
        }
    }

    /// Which version the Projection would be written over.
    fn version(&mut self) -> Option<Rv> {
        let Report::Write { version, .. } = self.report_at(Pace::AtOnce) else {
            panic!("nothing to write");
        };
        version
    }

    fn written(&mut self) {
        let Report::Write { status, hash, .. } = self.report_at(Pace::AtOnce) else {
            panic!("nothing to write");
        };
        self.with(|state, now| state.reported(&World::id(), hash, &status, Some(Rv(7)), now));
    }

    fn opt(&mut self, sync: &str) {
        self.world.workload.sync = Some(sync.into());
        self.world.put_workload();
        self.seen();
    }
}

#[test]
fn a_projection_outlives_the_management_of_its_workload_by_five_minutes() {
    let mut scene = Scene::new();
    scene.opt("false");
    let planned = scene.plan();
    assert_eq!(planned.decision.reason, Reason::NotManaged);
    assert_eq!(planned.report, Some(RETIRE_AFTER));
    scene.world.wait(RETIRE_AFTER - Duration::from_secs(1));
    let Report::After(left) = scene.report() else {
        panic!("deleted too early");
    };
    assert_eq!(left, Duration::from_secs(1));
    scene.world.wait(left);
    assert!(matches!(scene.report(), Report::Delete { .. }));
    scene.state.forget(&World::id());
    assert_eq!(scene.state.remembered(), []);
}

#[test]
fn a_workload_that_is_managed_again_in_time_keeps_its_history() {
    let mut scene = Scene::new();
    scene.opt("false");
    scene.plan();
    scene.world.wait(RETIRE_AFTER - Duration::from_secs(1));
    scene.world.write("app", &[("a", "2")]);
    scene.opt("true");
    scene.world.wait(RETIRE_AFTER);
    // What went by meanwhile is a change all the same.
    let planned = scene.plan();
    assert_eq!(planned.decision.reason, Reason::ContentChanged);
    assert!(!matches!(scene.report(), Report::Delete { .. }));
    scene.state.forget(&World::id());
    assert_eq!(scene.state.remembered(), [World::id()]);
}

#[test]
fn a_roll_is_written_at_once_and_once_more_with_the_last_in_sync_that_covers_its_pods() {
    let mut scene = Scene::new();
    scene.roll();
    assert!(matches!(scene.report(), Report::Write { .. }));
    scene.written();
    let rolled = scene.world.now();
    scene.seen();
    assert_eq!(scene.plan().decision.reason, Reason::BeingReplaced);
    assert_eq!(scene.wait(), ROLLOUT_INTERVAL);
    scene.world.wait_secs(1);
    scene.world.replace_pods();
    scene.seen();
    let created = scene.world.time();
    assert_eq!(scene.plan().decision.reason, Reason::InSync);
    assert!(!scene.wait().is_zero());
    // Planned by its own clock, not by an event.
    scene.world.wait_secs(4);
    assert_eq!(scene.world.now().since(rolled), REPORT_INTERVAL);
    assert!(matches!(scene.plan().step, Step::At(_)));
    assert!(!scene.wait().is_zero());
    scene.world.wait_secs(1);
    scene.plan();
    let Report::Write { status, .. } = scene.report() else {
        panic!("not written");
    };
    assert!(
        status
            .last_in_sync
            .is_some_and(|last| last.time.0 >= created)
    );
    scene.written();
    scene.world.wait(REPORT_INTERVAL);
    assert!(matches!(scene.plan().step, Step::Rest));
    assert!(matches!(scene.report(), Report::Unchanged));
}

#[test]
fn being_in_sync_is_told_even_where_the_last_in_sync_does_not_follow() {
    let mut scene = Scene::new();
    scene.roll();
    scene.written();
    scene.world.replace_pods();
    scene.seen();
    let plan = |scene: &mut Scene| scene.with(|state, now| state.plan(&World::id(), now, None));
    assert_eq!(plan(&mut scene).decision.reason, Reason::InSync);
    assert_eq!(scene.wait(), REPORT_INTERVAL * 2);
    scene.world.wait(REPORT_INTERVAL * 2);
    plan(&mut scene);
    assert!(matches!(scene.report(), Report::Write { .. }));
}

#[test]
fn what_lasts_after_a_roll_is_told_in_time() {
    let mut scene = Scene::new();
    scene.roll();
    scene.written();
    scene.seen();
    // Its Pods take their time.
    scene.plan();
    scene.world.wait(ROLLOUT_INTERVAL);
    scene.plan();
    assert!(matches!(scene.report(), Report::Write { .. }));
    scene.written();
    // Now it needs somebody.
    scene.world.workload.stuck = Some("quota".into());
    scene.world.put_workload();
    scene.seen();
    assert_eq!(scene.plan().decision.reason, Reason::Blocked);
    assert_eq!(scene.wait(), REPORT_INTERVAL);
    scene.world.wait(REPORT_INTERVAL);
    let Report::Write { status, .. } = scene.report() else {
        panic!("not written");
    };
    let told = status.decision.map(|decision| decision.reason);
    assert_eq!(told.as_deref(), Some(Reason::Blocked.as_str()));
}

#[test]
fn a_roll_that_was_made_while_another_was_written_is_written_at_once() {
    let mut scene = Scene::new();
    scene.roll();
    let Report::Write { status, hash, .. } = scene.report() else {
        panic!("not written");
    };
    scene.world.wait_secs(1);
    scene.world.record.rolls.clear();
    scene.seen();
    let again = crate::core::history::record::Roll {
        revision: "v1.key.other".into(),
        time: scene.world.time(),
        rv: None,
        causes: Vec::new(),
    };
    scene.with(|state, now| state.rolled(&World::id(), again, "v1.key.other", now));
    scene.with(|state, now| state.reported(&World::id(), hash, &status, Some(Rv(7)), now));
    assert!(matches!(scene.report(), Report::Write { .. }));
    scene.written();
    assert_eq!(scene.wait(), REPORT_INTERVAL);
}

#[test]
fn a_process_that_ends_writes_without_waiting() {
    let mut scene = Scene::new();
    scene.roll();
    scene.written();
    scene.world.replace_pods();
    scene.seen();
    scene.plan();
    assert!(!scene.wait().is_zero());
    assert!(matches!(
        scene.report_at(Pace::AtOnce),
        Report::Write { .. }
    ));
}

#[test]
fn a_projection_is_written_again_where_somebody_deleted_it() {
    let mut scene = Scene::new();
    scene.world.wait(REPORT_INTERVAL);
    assert!(matches!(scene.report(), Report::Unchanged));
    assert!(scene.state.disown_report(&World::id()));
    // There is no version that it could take the place of.
    let version = scene.version();
    assert_eq!(version, None);
}

#[test]
fn a_projection_takes_the_place_of_the_newest_version_that_is_known() {
    let mut scene = Scene::new();
    let shown = |scene: &mut Scene, rv| {
        scene.with(|state, now| state.shown(&World::id(), Some(Rv(rv)), now));
    };
    shown(&mut scene, 6);
    scene.world.write("app", &[("a", "2")]);
    scene.seen();
    scene.world.wait_secs(5);
    scene.plan();
    // Our own, though the watch has not shown it yet.
    assert_eq!(scene.version(), Some(Rv(7)));
    shown(&mut scene, 8);
    assert_eq!(scene.version(), Some(Rv(8)));
}

#[test]
fn a_projection_that_somebody_wrote_over_is_written_again() {
    let mut scene = Scene::new();
    let mut shown = |rv| scene.with(|state, now| state.shown(&World::id(), Some(Rv(rv)), now));
    // What came before our write, and our write itself.
    assert_eq!((shown(6), shown(7)), (None, None));
    assert!(matches!(scene.report_at(Pace::AtOnce), Report::Unchanged));
    let delay = scene.with(|state, now| state.shown(&World::id(), Some(Rv(8)), now));
    assert_eq!(delay, Some(REPORT_INTERVAL));
    let Report::Write { status, hash, .. } = scene.report_at(Pace::AtOnce) else {
        panic!("left as it is");
    };
    scene.with(|state, now| state.reported(&World::id(), hash, &status, Some(Rv(9)), now));
    assert!(matches!(scene.report_at(Pace::AtOnce), Report::Unchanged));
}

#[test]
fn a_refused_roll_is_told_until_it_is_made() {
    let mut scene = Scene::new();
    scene.world.write("app", &[("a", "2")]);
    scene.seen();
    scene.world.wait_secs(5);
    assert!(matches!(scene.plan().step, Step::Roll(_)));
    let note = "The API server refuses the roll: freeze".to_owned();
    let delay = scene.with(|state, now| state.refused(&World::id(), note, now));
    assert!(delay.is_some());
    let Report::Write { status, hash, .. } = scene.report() else {
        panic!("it is not told");
    };
    let told = status.decision.as_ref().expect("a decision");
    assert_eq!(told.reason, Reason::RollFailed.as_str());
    assert!(told.message.ends_with("freeze"), "{}", told.message);
    scene.with(|state, now| state.reported(&World::id(), hash, &status, Some(Rv(7)), now));
    // Trying it again is nothing new to tell of.
    assert!(matches!(scene.plan().step, Step::Roll(_)));
    let note = told.message.clone();
    scene.with(|state, now| state.refused(&World::id(), note, now));
    assert!(matches!(scene.report_at(Pace::AtOnce), Report::Unchanged));
}

#[test]
fn a_new_pod_is_planned_by_the_clock_only_while_in_sync() {
    let mut scene = Scene::new();
    scene.world.pod("web-2");
    scene.seen();
    // Its start has to be covered by `lastInSync`.
    assert!(matches!(scene.plan().step, Step::At(_)));

    scene.world.write("app", &[("a", "2")]);
    scene.seen();
    scene.world.wait_secs(5);
    let planned = scene.plan();
    let Step::Roll(order) = planned.step else {
        panic!("{planned:?}");
    };
    scene.world.patch(&order.plan);
    scene.world.pod("web-3");
    scene.seen();
    let planned = scene.plan();
    assert_eq!(planned.decision.reason, Reason::BeingReplaced);
    // Until an event tells of a Pod there is nothing to look at.
    assert!(matches!(planned.step, Step::Rest));
}

#[test]
fn nobody_is_in_sync_with_an_edit_that_is_not_read() {
    let mut scene = Scene::new();
    scene.world.write("app", &[("a", "1")]);
    let planned = scene.plan();
    assert_eq!(planned.decision.reason, Reason::SourceNotRead);
    assert_eq!(planned.decision.verdict, Verdict::Wait(None));
    // It mostly passes at once.
    assert!(!scene.wait().is_zero());
    scene.seen();
    assert_eq!(scene.plan().decision.reason, Reason::InSync);
    // What is outdated all the same is rolled without waiting for it.
    scene.world.write("app", &[("a", "2")]);
    scene.seen();
    scene.world.wait_secs(5);
    scene.world.write("app", &[("a", "3")]);
    assert!(matches!(scene.plan().step, Step::Roll(_)));
}

#[test]
fn only_who_sees_all_namespaces_reports_on_cluster_policies() {
    let mut scene = Scene::new();
    let policies = [
        PolicyId::cluster("all"),
        PolicyId::namespaced("shop", "some"),
    ];
    let reported = policies.each_ref().map(|id| scene.state.reports_on(id));
    assert_eq!(reported, [false, true]);
    scene.state.settings.cluster_wide = true;
    let reported = policies.each_ref().map(|id| scene.state.reports_on(id));
    assert_eq!(reported, [true, true]);
}

#[test]
fn a_workload_that_names_no_policy_is_told_so_once() {
    let mut scene = Scene::new();
    scene.state = State::new(scene.state.settings.clone());
    scene.state.synced = true;
    scene.opt("such");
    let planned = scene.plan();
    assert_eq!(planned.decision.reason, Reason::PolicyNotFound);
    assert!(planned.news && planned.uid.is_some());
    assert!(!scene.plan().news);
    scene.opt("false");
    assert!(!scene.plan().news);
    scene.opt("such");
    assert!(scene.plan().news);
}

#[test]
fn the_first_projection_is_followed_by_one_that_covers_the_pods() {
    let mut scene = Scene::new();
    // What `Scene` has written told of no `lastInSync` that covers the Pod.
    let id = World::id();
    if let Some(managed) = scene.state.managed.get_mut(&id) {
        managed.reported = None;
    }
    assert!(matches!(scene.plan().step, Step::At(_)));
    scene.written();
    assert!(matches!(scene.plan().step, Step::Rest));
}

#[test]
fn policies_are_reported_on_once_all_workloads_are_planned() {
    let mut scene = Scene::new();
    assert!(scene.state.is_planned());
    if let Some(managed) = scene.state.managed.get_mut(&World::id()) {
        managed.decision = None;
    }
    assert!(!scene.state.is_planned());
    scene.opt("false");
    assert!(scene.state.is_planned());
}

#[test]
fn lost_digests_are_told_of_once_and_only_where_pods_are_unknown() {
    let mut scene = Scene::new();
    let id = World::id();
    assert_eq!(scene.state.tell_of_loss(&id), None);
    let managed = scene.state.managed.get_mut(&id).unwrap();
    managed.record.restated = true;
    assert_eq!(scene.state.tell_of_loss(&id), None);
    let managed = scene.state.managed.get_mut(&id).unwrap();
    managed.pods[0].state = crate::api::projection::PodState::Unknown;
    assert_eq!(scene.state.tell_of_loss(&id), Some(1));
    assert_eq!(scene.state.tell_of_loss(&id), None);
}

#[test]
fn ten_thousand_workloads_of_one_config_map_cost_one_read_and_nobody_else() {
    const COUNT: usize = 10_000;
    let one = World::new([reference("app", Class::Frozen, false)]);
    let mut world = World::new([reference("other", Class::Frozen, false)]);
    for name in ["app", "other"] {
        world.write(name, &[("a", "1")]);
    }
    let mut state = State::new(Settings {
        key: world.key.clone(),
        comparable: true,
        refresh_bound: Duration::from_secs(120),
        cluster_wide: false,
    });
    state.index = std::mem::take(&mut world.index);
    let named = |number: usize| WorkloadId::new(World::id().kind, "shop", format!("web-{number}"));
    for number in 0..COUNT {
        let workload = one.workload.clone();
        state.index.apply_workload(&named(number), workload);
    }
    let now = world.now();
    state.start(now);
    for name in ["app", "other"] {
        let content = world.content(name);
        assert_eq!(state.need(&config_map(name)), Need::Read);
        let users = state.take_in(&config_map(name), &content, world.time(), now);
        assert_eq!(users.len(), if name == "app" { COUNT } else { 1 });
    }
    // An edit affects that source; its one reading serves all.
    std::mem::swap(&mut state.index, &mut world.index);
    world.write("app", &[("a", "2")]);
    std::mem::swap(&mut state.index, &mut world.index);
    assert_eq!(state.need(&config_map("other")), Need::Nothing);
    assert_eq!(state.need(&config_map("app")), Need::Read);
    let content = world.content("app");
    let users = state.take_in(&config_map("app"), &content, world.time(), now);
    assert_eq!(users.len(), COUNT);
    assert_eq!(state.need(&config_map("app")), Need::Nothing);
    assert!(!users.contains(&World::id()));
    for user in users.iter().step_by(100) {
        assert_eq!(state.plan(user, now, None).decision.reason, Reason::InSync);
    }
}
