//! Rules on what a Pod has, as far as one timeline tells: each test is named after
//! the numbered rule of the design.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use super::*;
use crate::api::limits::MAX_TIMELINE;
use crate::core::content::digest::KeyId;
use crate::core::object::pod::{Container, ContainerStart, Start};
use crate::core::project::pod_spec::PodSpec;
use crate::core::project::reference::{Over, Place, Reference, Selection, Use, references};
use crate::core::testing::at;
use crate::core::time::Mono;
use crate::kinds::{Class, Rv, SourceKind};

const LAG: Duration = Duration::from_secs(120);
const A: u8 = 1;
const B: u8 = 2;
const C: u8 = 3;
const NOTHING: u8 = 0;

const fn digest(content: u8) -> Digest {
    Digest {
        key_id: KeyId([0; 4]),
        bytes: [content; 16],
    }
}

const ABSENT: Absence = Absence {
    digest: digest(NOTHING),
    missing: true,
};

/// Content that was edited in version and second `rv`, and read at once.
fn read(content: u8, rv: u64) -> Observation<'static> {
    Observation {
        digest: digest(content),
        missing: false,
        absent: ABSENT,
        unread: &[],
        after: None,
        rv: Some(Rv(rv)),
        edited: Some(Rv(rv)),
        born: false,
        required: false,
        created: Some(at(1)),
        data_time: Some(at(rv)),
        date: at(rv),
        received: Mono(Duration::from_secs(rv)),
        changed: Vec::new(),
        unnamed: false,
        key_went: false,
    }
}

/// The same, listed rather than seen live.
fn listed(content: u8, rv: u64) -> Observation<'static> {
    Observation {
        edited: None,
        ..read(content, rv)
    }
}

/// The required source is absent, by its DELETED event of that version.
fn gone(rv: Option<u64>, date: u64) -> Observation<'static> {
    Observation {
        digest: digest(NOTHING),
        missing: true,
        rv: rv.map(Rv),
        edited: None,
        created: None,
        data_time: None,
        date: at(date),
        ..read(NOTHING, date)
    }
}

fn edited(rv: u64) -> SourceEvent {
    SourceEvent {
        rv: Rv(rv),
        kind: SourceEventKind::Edited,
        time: Some(at(rv)),
        received: Mono(Duration::from_secs(rv)),
    }
}

fn deleted(rv: u64) -> SourceEvent {
    SourceEvent {
        kind: SourceEventKind::Deleted,
        ..edited(rv)
    }
}

/// A timeline of contents with the version (and second) of each.
fn timeline(contents: &[(u8, u64)]) -> Timeline {
    let (first, rest) = contents.split_first().unwrap();
    let mut timeline = Timeline::new(&read(first.0, first.1), false);
    for (content, rv) in rest {
        timeline.observe(&read(*content, *rv));
    }
    timeline
}

/// A Pod whose ADDED event of version `rv` was seen, created in second `time`.
fn live(rv: u64, time: u64) -> Start {
    Start {
        rv: Some(Rv(rv)),
        at_least: None,
        time: at(time),
    }
}

/// A Pod from a list.
fn old(time: u64) -> Start {
    Start {
        rv: None,
        ..live(0, time)
    }
}

fn container(name: &str, started: Option<(u64, Option<u64>)>) -> Container {
    Container {
        name: name.into(),
        started: started.map(|(second, shown)| ContainerStart {
            at: at(second),
            shown: shown.map(Rv),
            ahead: 0,
        }),
        ready: true,
        was_ready: true,
        restarts: 0,
        end: None,
    }
}

/// What is seen by these containers, or by `app`, in this place.
fn reference(place: Place, class: Class, containers: &[Container]) -> Reference {
    let names: Vec<Arc<str>> = match containers {
        [] => vec!["app".into()],
        _ => containers.iter().map(|c| c.name.clone()).collect(),
    };
    let one = Use {
        place,
        selection: Selection::Files,
        optional: false,
        required: Box::default(),
        over: Over::default(),
    };
    Reference::new(
        (SourceKind::CONFIG_MAP, "app".into()),
        class,
        [(one, names.into())],
    )
}

fn standing_of(timeline: &Timeline, start: Start, containers: &[Container]) -> Standing {
    let reference = reference(Place::EnvFrom, Class::Frozen, containers);
    timeline.standing(&start, containers, &reference, LAG, usize::MAX)
}

fn standing(timeline: &Timeline, start: Start) -> Standing {
    standing_of(timeline, start, &[])
}

fn lacks(index: usize) -> Standing {
    Standing::Outdated { lacks: index }
}

#[test]
fn rule_01_since_is_the_version_of_the_edit() {
    // Edited in 20, labelled in 25, read then: what started in between has it.
    let mut line = timeline(&[(A, 10)]);
    let later = Observation {
        rv: Some(Rv(25)),
        edited: Some(Rv(20)),
        ..read(B, 25)
    };
    line.observe(&later);
    assert_eq!(standing(&line, live(19, 99)), lacks(1));
    assert_eq!(standing(&line, live(20, 5)), Standing::Current);
    assert_eq!(standing(&line, live(22, 5)), Standing::Current);
}

#[test]
fn rule_01_a_read_ahead_of_the_watch_is_exact() {
    let mut line = timeline(&[(A, 10)]);
    line.observe(&listed(B, 20));
    assert!(line.newest().since.exact);
    assert_eq!(standing(&line, live(19, 99)), lacks(1));
    assert_eq!(standing(&line, live(20, 5)), Standing::Current);
}

#[test]
fn rule_01_absence_is_since_the_deleted_event() {
    let mut line = timeline(&[(A, 10)]);
    line.observe(&gone(Some(20), 30));
    line.observe(&read(B, 40));
    assert_eq!(standing(&line, live(19, 50)), lacks(1));
    // It could not start before the source appeared.
    assert_eq!(standing(&line, live(20, 15)), Standing::Current);
}

#[test]
fn rule_01_the_time_is_that_of_managed_fields() {
    let data_time = |seconds, key_went| {
        let mut line = timeline(&[(A, 10)]);
        let seen = Observation {
            data_time: seconds,
            key_went,
            date: at(30),
            ..read(B, 20)
        };
        line.observe(&seen);
        line.newest().since.time
    };
    assert_eq!(data_time(Some(at(20)), false), at(20));
    // Not later than the previous content's; a removal moves none; none there.
    assert_eq!(data_time(Some(at(10)), false), at(30));
    assert_eq!(data_time(Some(at(20)), true), at(30));
    assert_eq!(data_time(None, false), at(30));
}

#[test]
fn rule_02_a_container_that_has_not_started_has_no_content() {
    let line = timeline(&[(A, 10), (B, 20)]);
    let waiting = [container("app", None)];
    assert_eq!(
        standing_of(&line, live(15, 15), &waiting),
        Standing::NotStarted
    );
}

#[test]
fn rule_02_a_restart_resolves_frozen_uses_anew() {
    let line = timeline(&[(A, 10), (B, 20)]);
    let restarted = |second, shown| {
        standing_of(
            &line,
            live(15, 15),
            &[container("app", Some((second, shown)))],
        )
    };
    assert_eq!(restarted(15, Some(16)), lacks(1));
    // Shown by an event after the content.
    assert_eq!(restarted(21, Some(30)), Standing::Current);
    // The node's clock runs ahead: the event came before the content.
    assert_eq!(restarted(99, Some(19)), lacks(1));
    // In the second of the content it counts as older.
    assert_eq!(restarted(20, Some(30)), lacks(1));
    // From a list: beyond a margin of ten seconds.
    assert_eq!(restarted(30, None), lacks(1));
    assert_eq!(restarted(31, None), Standing::Current);
}

#[test]
fn rule_02_a_nodes_clock_may_be_ahead_or_behind() {
    let line = timeline(&[(A, 10), (B, 20)]);
    let restarted = |line: &Timeline, second, ahead| {
        let mut containers = [container("app", Some((second, Some(26))))];
        containers[0].started.as_mut().unwrap().ahead = ahead;
        standing_of(line, live(15, 15), &containers)
    };
    // It ended and started again by second 19, five seconds ahead of us, and an event in 26
    // tells of it.
    assert_eq!(restarted(&line, 24, 5), lacks(1));
    assert_eq!(restarted(&line, 25, 5), lacks(1));
    // What is later than that by more than the clock is off counts at once.
    assert_eq!(restarted(&line, 26, 5), Standing::Current);
    assert_eq!(restarted(&line, 22, 1), Standing::Current);
    // A clock that can't be told is off by no more than ten seconds.
    assert_eq!(restarted(&line, 30, 255), lacks(1));
    assert_eq!(restarted(&line, 31, 255), Standing::Current);

    // It started in B, which went by, on a node whose clock is behind.
    let line = timeline(&[(A, 10), (B, 20), (A, 25)]);
    assert_eq!(restarted(&line, 12, 1), lacks(2));
    // Not if an event showed it before.
    let containers = [container("app", Some((12, Some(19))))];
    assert_eq!(
        standing_of(&line, live(11, 11), &containers),
        Standing::Current
    );
}

#[test]
fn rule_02_the_oldest_container_counts() {
    let line = timeline(&[(A, 10), (B, 20), (C, 30)]);
    let both = |init, app| {
        let containers = [
            container("init", Some((init, Some(init)))),
            container("app", Some((app, Some(app)))),
        ];
        standing_of(&line, live(15, 15), &containers)
    };
    assert_eq!(both(31, 31), Standing::Current);
    assert_eq!(both(16, 31), lacks(1));
    // Each lacks something: the first edit counts.
    assert_eq!(both(16, 25), lacks(1));
    assert_eq!(both(25, 16), lacks(1));
    assert_eq!(both(25, 31), lacks(2));
}

#[test]
fn rule_02_files_may_lag_behind_a_restart() {
    let line = timeline(&[(A, 10), (B, 20)]);
    // Refreshed, or bound at the start by a subPath: the kubelet waits for neither.
    for class in [Class::Live, Class::Frozen] {
        let reference = reference(Place::Volume, class, &[]);
        let standing = |start: Start, restarted: Option<u64>| {
            let started = restarted.map(|second| (second, Some(second)));
            let containers = started.map(|started| container("app", Some(started)));
            let containers = Vec::from_iter(containers);
            line.standing(&start, &containers, &reference, LAG, usize::MAX)
        };
        assert_eq!(standing(live(15, 15), Some(20 + 120)), lacks(1));
        assert_eq!(standing(live(15, 15), Some(20 + 121)), Standing::Current);
        // The volume of a Pod that is created after it is mounted with it.
        assert_eq!(standing(live(21, 20), Some(22)), Standing::Current);
        assert_eq!(standing(live(21, 20), None), Standing::Current);
    }
}

#[test]
fn rule_02_a_source_that_is_seen_both_as_variable_and_by_sub_path() {
    let line = timeline(&[(A, 10), (B, 20)]);
    let spec = json!({
        "containers": [
            {"name": "both", "envFrom": [{"configMapRef": {"name": "app"}}],
             "volumeMounts": [{"name": "v", "mountPath": "/a", "subPath": "a"}]},
            {"name": "env", "envFrom": [{"configMapRef": {"name": "app"}}]},
        ],
        "volumes": [{"name": "v", "configMap": {"name": "app"}}],
    });
    let spec: PodSpec = serde_json::from_value(spec).unwrap();
    let [reference] = &references(&spec).unwrap()[..] else {
        panic!("not one reference");
    };
    let restarted = |both: u64, env: u64| {
        let started = |name, second| container(name, Some((second, Some(second))));
        let containers = [started("both", both), started("env", env)];
        line.standing(&live(15, 15), &containers, reference, LAG, usize::MAX)
    };
    assert_eq!(restarted(50, 50), lacks(1));
    assert_eq!(restarted(200, 50), Standing::Current);
    assert_eq!(restarted(200, 16), lacks(1));
}

#[test]
fn rule_03_order_by_versions_then_by_times() {
    let line = timeline(&[(A, 10), (B, 20)]);
    for (start, expected) in [
        // Versions, whatever the times say.
        (live(19, 99), lacks(1)),
        (live(20, 1), Standing::Current),
        // Times; in the same second the Pod counts as older.
        (old(19), lacks(1)),
        (old(20), lacks(1)),
        (old(21), Standing::Current),
    ] {
        assert_eq!(standing(&line, start), expected, "{start:?}");
    }
}

#[test]
fn rule_03_without_comparable_versions_times_decide() {
    let untold = |content, second| Observation {
        rv: None,
        edited: None,
        ..read(content, second)
    };
    let mut line = Timeline::new(&untold(A, 10), false);
    let gap = at(10);
    line.observe_after(gap, &untold(B, 20));
    assert_eq!(standing(&line, live(1, 21)), Standing::Current);
    assert_eq!(standing(&line, live(999, 20)), lacks(2));
}

#[test]
fn rule_04_a_roll_is_evidence() {
    let line = timeline(&[(A, 10), (B, 20)]);
    let rolled = |version| Start {
        at_least: Some(Rv(version)),
        ..old(20)
    };
    assert_eq!(standing(&line, rolled(19)), lacks(1));
    assert_eq!(standing(&line, rolled(21)), Standing::Current);
}

#[test]
fn rule_05_an_unread_version_equals_nothing() {
    let mut line = timeline(&[(A, 10)]);
    line.observe(&Observation {
        unread: &[edited(20), edited(30)],
        ..read(B, 30)
    });
    assert_eq!(standing(&line, live(15, 15)), lacks(1));
    assert_eq!(standing(&line, live(25, 25)), lacks(2));
    assert_eq!(standing(&line, live(30, 30)), Standing::Current);
}

#[test]
fn rule_05_between_two_equal_contents_an_unread_version_can_not_be_told() {
    let mut line = timeline(&[(A, 10)]);
    // Set to something in 20 and back in 30, or another key was edited twice.
    line.observe(&Observation {
        unread: &[edited(20), edited(30)],
        ..read(A, 30)
    });
    assert_eq!(standing(&line, live(15, 15)), Standing::Current);
    assert_eq!(standing(&line, live(25, 25)), Standing::Unknown);
    assert_eq!(standing(&line, live(30, 30)), Standing::Current);
    // Created before, and started in it, or about then.
    let started = |second, shown| {
        let containers = [container("app", Some((second, shown)))];
        standing_of(&line, live(15, 15), &containers)
    };
    assert_eq!(started(25, Some(26)), Standing::Unknown);
    assert_eq!(started(25, None), Standing::Unknown);
    assert_eq!(started(19, Some(19)), Standing::Current);
    assert_eq!(started(16, None), Standing::Current);
    // Once the content moves each lacks it.
    line.observe(&read(B, 40));
    assert_eq!(standing(&line, live(25, 25)), lacks(2));
}

#[test]
fn rule_05_edits_of_other_keys_without_end_outdate_nobody() {
    // Each reading finds what was there before, and has missed a version; a Pod starts in
    // each of both.
    let mut line = timeline(&[(A, 10)]);
    let mut pods = vec![live(11, 11)];
    for rv in (20..400).step_by(10) {
        line.observe(&Observation {
            unread: &[edited(rv), edited(rv + 5)],
            ..read(A, rv + 5)
        });
        pods.extend([live(rv + 1, rv + 1), live(rv + 6, rv + 6)]);
        line.prune(pods.iter().map(|start| (*start, &[][..])), LAG);
        assert!(line.entries().len() <= MAX_TIMELINE);
        for pod in &pods {
            let standing = standing(&line, *pod);
            assert!(
                matches!(standing, Standing::Current | Standing::Unknown),
                "{pod:?} {standing:?}"
            );
        }
    }
    assert_eq!(standing(&line, pods[0]), Standing::Current);
    line.observe(&read(B, 500));
    for pod in &pods {
        assert!(matches!(standing(&line, *pod), Standing::Outdated { .. }));
    }
}

#[test]
fn rule_05_a_deletion_and_what_followed_may_go_by_unread() {
    let mut line = timeline(&[(A, 10)]);
    line.observe(&Observation {
        absent: Absence {
            missing: false,
            ..ABSENT
        },
        unread: &[deleted(20), edited(25), edited(30)],
        ..read(B, 30)
    });
    let contents: Vec<Content> = line.entries().iter().map(|entry| entry.content).collect();
    let known = |content| Content::Known(digest(content));
    assert_eq!(
        contents,
        [known(A), known(NOTHING), Content::Unread, known(B)]
    );
}

#[test]
fn rule_05_a_version_that_is_told_of_late_is_put_in() {
    // Read in 30 ahead of the watch, which then brings 20.
    let mut line = timeline(&[(A, 10)]);
    line.observe(&listed(B, 30));
    let late = |line: &mut Timeline, rv| {
        line.observe(&Observation {
            unread: &[edited(rv)],
            after: Some(Rv(30)),
            ..listed(B, 30)
        });
    };
    for _ in 0..2 {
        late(&mut line, 20);
        assert_eq!(line.entries().len(), 3, "once");
    }
    assert_eq!(standing(&line, live(15, 15)), lacks(1));
    assert_eq!(standing(&line, live(25, 25)), lacks(2));
    assert_eq!(standing(&line, live(30, 30)), Standing::Current);
    // The version that was read, and what was before the first, are no news.
    late(&mut line, 30);
    late(&mut line, 5);
    assert_eq!(line.entries().len(), 3);
}

#[test]
fn rule_05_a_late_version_counts_where_the_content_came_back() {
    // A in 10 and again in 30, where it was read; what was in 20 and 25 wasn't.
    let mut line = timeline(&[(A, 10)]);
    let late = |line: &mut Timeline, rv| {
        line.observe(&Observation {
            unread: &[edited(rv)],
            after: Some(Rv(30)),
            ..listed(A, 30)
        });
    };
    late(&mut line, 20);
    late(&mut line, 25);
    assert_eq!(standing(&line, live(15, 15)), Standing::Current);
    assert_eq!(standing(&line, live(22, 22)), Standing::Unknown);
    assert_eq!(standing(&line, live(27, 27)), Standing::Unknown);
    assert_eq!(standing(&line, live(30, 30)), Standing::Current);
    late(&mut line, 30);
    assert_eq!(line.entries().len(), 4);
}

#[test]
fn rule_06_what_changed_in_a_gap_counts_from_its_time() {
    let gap = at(50);
    let observed = |data_time, key_went| {
        let mut line = timeline(&[(A, 10)]);
        let seen = Observation {
            data_time,
            key_went,
            date: at(100),
            ..listed(B, 70)
        };
        line.observe_after(gap, &seen);
        line
    };
    let line = observed(Some(at(70)), false);
    assert_eq!(standing(&line, old(50)), lacks(1));
    assert_eq!(standing(&line, old(70)), lacks(2));
    assert_eq!(standing(&line, old(71)), Standing::Current);
    // Listed, so content and Pod may be of any order before that version.
    assert_eq!(standing(&line, live(60, 71)), Standing::Current);
    // A key went, or the time is from before the gap: after every Pod.
    for line in [observed(Some(at(70)), true), observed(Some(at(50)), false)] {
        assert_eq!(standing(&line, old(50)), lacks(1));
        assert_eq!(standing(&line, old(100)), lacks(2));
        assert_eq!(standing(&line, old(101)), Standing::Current);
    }
}

#[test]
fn rule_06_equal_content_may_hide_an_edit() {
    let gap = at(50);
    let mut line = timeline(&[(A, 10)]);
    line.observe_after(gap, &listed(A, 70));
    assert_eq!(standing(&line, old(50)), Standing::Current);
    assert_eq!(standing(&line, old(51)), Standing::Unknown);
    assert_eq!(standing(&line, old(70)), Standing::Unknown);
    assert_eq!(standing(&line, old(71)), Standing::Current);
    // Once it moves on they are outdated like all others.
    line.observe(&read(B, 80));
    assert_eq!(standing(&line, old(51)), lacks(3));

    // A label was changed: its data did not move in the gap.
    let mut line = timeline(&[(A, 10)]);
    let labelled = Observation {
        data_time: Some(at(10)),
        ..listed(A, 70)
    };
    line.observe_after(gap, &labelled);
    assert_eq!(line.entries().len(), 1);
}

#[test]
fn rule_06_a_gap_begins_where_all_was_last_seen() {
    // The stored lastInSync is older than the last content that was stored.
    let gap = at(20);
    let mut line = timeline(&[(A, 10), (B, 30)]);
    let labelled = Observation {
        data_time: Some(at(30)),
        ..listed(B, 70)
    };
    line.observe_after(gap, &labelled);
    assert_eq!(standing(&line, old(25)), lacks(1));
    assert_eq!(standing(&line, old(31)), Standing::Current);

    // A source that was read long ago, and watched until its watch broke.
    let mut line = timeline(&[(A, 10)]);
    line.mark_synced(at(60));
    line.observe_after(gap, &listed(A, 70));
    assert_eq!(standing(&line, live(40, 40)), Standing::Current);
    assert_eq!(standing(&line, live(65, 65)), Standing::Unknown);
}

#[test]
fn rule_06_edits_after_a_gap_count() {
    let gap = at(50);
    let mut line = timeline(&[(A, 10)]);
    let seen = Observation {
        unread: &[edited(60), edited(70)],
        ..read(A, 70)
    };
    line.observe_after(gap, &seen);
    assert_eq!(standing(&line, old(50)), Standing::Current);
    assert_eq!(standing(&line, live(55, 55)), Standing::Unknown);
    assert_eq!(standing(&line, live(65, 65)), Standing::Unknown);
    assert_eq!(standing(&line, live(70, 70)), Standing::Current);
    line.observe(&read(B, 80));
    assert!(matches!(
        standing(&line, live(65, 65)),
        Standing::Outdated { .. }
    ));
}

#[test]
fn rule_07_at_first_sight_older_pods_are_unknown() {
    let mut line = Timeline::new(&listed(A, 10), true);
    assert_eq!(standing(&line, old(9)), Standing::Unknown);
    assert_eq!(standing(&line, old(11)), Standing::Current);
    // They count as having the first content that is known.
    line.observe(&read(B, 20));
    assert_eq!(standing(&line, old(9)), lacks(1));
    line.observe(&read(A, 30));
    assert_eq!(standing(&line, old(9)), Standing::Unknown);
}

#[test]
fn rule_07_a_reference_added_later_makes_older_pods_outdated() {
    let line = Timeline::new(&listed(A, 10), false);
    assert_eq!(standing(&line, old(9)), lacks(0));
    assert_eq!(standing(&line, old(11)), Standing::Current);
}

#[test]
fn rule_07_an_edit_before_the_first_read_tells_nothing_of_what_is_projected() {
    for seen in [listed(A, 10), read(A, 10)] {
        let line = Timeline::new(&seen, true);
        assert_eq!(standing(&line, live(9, 10)), Standing::Unknown);
        assert_eq!(standing(&line, live(11, 10)), Standing::Current);
    }
    // But for a reference that a template added.
    let line = Timeline::new(&read(A, 10), false);
    assert_eq!(standing(&line, live(9, 10)), lacks(0));
}

#[test]
fn rule_07_content_that_came_with_a_required_source_is_older_than_its_pods() {
    let created = |required| {
        let seen = Observation {
            required,
            created: Some(at(10)),
            ..listed(A, 10)
        };
        standing(&Timeline::new(&seen, true), old(10))
    };
    assert_eq!(created(true), Standing::Current);
    assert_eq!(created(false), Standing::Unknown);
}

#[test]
fn rule_08_a_pod_born_in_absence_has_what_then_appears() {
    let mut line = Timeline::new(&gone(None, 5), true);
    let waiting = [container("app", None)];
    assert_eq!(
        standing_of(&line, live(7, 7), &waiting),
        Standing::NotStarted
    );
    line.observe(&read(A, 10));
    assert_eq!(standing(&line, live(7, 7)), Standing::Current);
    line.observe(&read(B, 20));
    assert_eq!(standing(&line, live(7, 7)), lacks(2));
}

#[test]
fn rule_08_what_runs_in_absence_has_something_else() {
    let runs = |second| [container("app", Some((second, Some(second))))];
    let line = Timeline::new(&gone(Some(5), 5), true);
    assert_eq!(standing_of(&line, old(3), &runs(7)), Standing::Unknown);
    let line = Timeline::new(&gone(Some(5), 5), false);
    assert_eq!(standing_of(&line, old(3), &runs(7)), lacks(0));
    // Started again after it was gone, with files that were mounted before.
    let mut line = timeline(&[(A, 10)]);
    line.observe(&gone(Some(20), 20));
    assert_eq!(standing_of(&line, live(15, 15), &runs(25)), lacks(1));
}

#[test]
fn rule_08_what_waited_is_not_older_for_a_clock_that_is_behind() {
    // It appears in second 100; the Pod was created in 50.
    let mut line = Timeline::new(&gone(Some(5), 5), true);
    line.observe(&read(A, 100));
    let standing_at = |second, shown| {
        let started = [container("app", Some((second, shown)))];
        let pod = shown.map_or(old(50), |_| live(50, 50));
        standing_of(&line, pod, &started)
    };
    for shown in [Some(101), None] {
        for second in [90, 98, 99, 100, 101, 110] {
            assert_eq!(
                standing_at(second, shown),
                Standing::Current,
                "started at {second}, shown by {shown:?}"
            );
        }
        assert_eq!(standing_at(89, shown), lacks(1), "shown by {shown:?}");
    }
    // It was seen to run before.
    assert_eq!(standing_at(99, Some(99)), lacks(1));
    assert_eq!(standing_at(102, Some(99)), lacks(1));
}

#[test]
fn rule_08_what_waited_is_not_older_for_a_version_that_a_list_brought() {
    // It appeared in second 100, had a label in 110, and was listed then.
    let mut line = Timeline::new(&gone(Some(5), 5), true);
    line.observe(&read(A, 110));
    let since = &mut line.entries[1].since;
    (since.exact, since.time) = (false, at(100));
    let standing_at = |line: &Timeline, second, shown| {
        let started = [container("app", Some((second, Some(shown))))];
        standing_of(line, live(50, 50), &started)
    };
    assert_eq!(standing_at(&line, 101, 105), Standing::Current);
    assert_eq!(standing_at(&line, 80, 81), lacks(1));
    line.entries[1].since.exact = true;
    assert_eq!(standing_at(&line, 101, 105), lacks(1));
}

#[test]
fn rule_08_an_absent_optional_source_is_content() {
    let absence = Observation {
        missing: false,
        ..gone(None, 5)
    };
    let mut line = Timeline::new(&absence, true);
    assert_eq!(standing(&line, old(7)), Standing::Current);
    line.observe(&read(A, 10));
    assert_eq!(standing(&line, old(7)), lacks(1));
}

#[test]
fn rule_09_what_was_in_sync_stays_so_whatever_the_seconds_say() {
    let mut line = timeline(&[(A, 10), (B, 20)]);
    assert_eq!(standing(&line, old(20)), lacks(1));
    line.mark_synced(at(20));
    assert_eq!(standing(&line, old(20)), Standing::Current);
    assert_eq!(standing(&line, old(21)), Standing::Current);
    // A mark never moves back.
    line.mark_synced(at(15));
    assert_eq!(line.newest().synced, Some(at(20)));
}

#[test]
fn rule_09_what_could_not_be_told_still_can_not() {
    let mut line = Timeline::new(&listed(A, 10), true);
    line.mark_synced(at(50));
    assert_eq!(standing(&line, old(9)), Standing::Unknown);
    assert_eq!(standing(&line, old(11)), Standing::Current);
    let gap = at(50);
    line.observe_after(gap, &listed(A, 70));
    line.mark_synced(at(90));
    assert_eq!(standing(&line, old(60)), Standing::Unknown);
    assert_eq!(standing(&line, old(9)), Standing::Unknown);
}

#[test]
fn rule_09_only_starts_that_a_second_cannot_order_are_kept() {
    let mut line = timeline(&[(A, 10), (B, 20)]);
    assert!(line.needs_version(&live(21, 20)));
    assert!(!line.needs_version(&live(19, 20)));
    assert!(!line.needs_version(&live(30, 30)));
    // The Date of a late read stands for the edit's time.
    let late = Observation {
        key_went: true,
        date: at(45),
        ..read(C, 40)
    };
    line.observe(&late);
    assert!(line.needs_version(&live(41, 43)));
    line.mark_synced(at(45));
    assert!(!line.needs_version(&live(41, 43)));
}

#[test]
fn rule_09_last_in_sync_belongs_to_its_content() {
    let mut line = timeline(&[(A, 10), (B, 20), (A, 30)]);
    line.mark_synced_with(digest(B), at(25));
    line.mark_synced_with(digest(A), at(15));
    let synced: Vec<_> = line.entries().iter().map(|entry| entry.synced).collect();
    assert_eq!(synced, [Some(at(15)), Some(at(25)), None]);
}

#[test]
fn rule_11_limit() {
    let contents: Vec<(u8, u64)> = (1..=12).map(|n| (n, u64::from(n) * 10)).collect();
    // Pods in the first and third content: others go first.
    let mut line = timeline(&contents);
    let pods = [old(11), old(31)];
    line.prune(pods.iter().map(|start| (*start, &[][..])), LAG);
    assert_eq!(line.entries().len(), MAX_TIMELINE);
    let left: Vec<Content> = line.entries().iter().map(|entry| entry.content).collect();
    let expected = [1, 3, 7, 8, 9, 10, 11, 12];
    assert_eq!(
        left,
        expected.map(|content| Content::Known(digest(content)))
    );
    // The first edit that each lacks is still the first for `settle`.
    assert_eq!(standing(&line, old(11)), lacks(1));
    assert_eq!(line.entries()[1].received, Mono(Duration::from_secs(20)));
    assert_eq!(line.entries()[2].received, Mono(Duration::from_secs(40)));

    // Pods in each: the oldest go, and Pods older than what is left are outdated.
    let mut line = timeline(&contents);
    let pods: Vec<Start> = (1..=12).map(|n| old(n * 10 + 1)).collect();
    line.prune(pods.iter().map(|start| (*start, &[][..])), LAG);
    assert_eq!(line.entries().len(), MAX_TIMELINE);
    assert_eq!(standing(&line, old(11)), lacks(0));
}

#[test]
fn rule_11_what_counts_for_an_unsure_pod_is_kept() {
    let gap = at(15);
    let mut line = timeline(&[(1, 10)]);
    line.observe_after(gap, &listed(1, 20));
    for n in 2..12 {
        line.observe(&read(n, u64::from(n) * 20));
    }
    let pod = old(17);
    line.prune([(pod, &[][..])].into_iter(), LAG);
    assert!(matches!(standing(&line, pod), Standing::Outdated { .. }));
}

#[test]
fn rule_11_an_open_timeline_that_loses_its_begin_is_closed() {
    let mut line = Timeline::new(&listed(1, 10), true);
    for n in 2..=9 {
        line.observe(&read(n, u64::from(n) * 10));
    }
    line.prune([(old(5), &[][..])].into_iter(), LAG);
    assert!(line.is_open(), "a Pod lives by its first entry");
    line.observe(&read(10, 100));
    line.prune([].into_iter(), LAG);
    assert!(!line.is_open());
    assert_eq!(standing(&line, old(5)), lacks(0));
}

fn handover(from: u64, date: u64) -> Handover {
    Handover {
        from: at(from),
        date: at(date),
        key_went: false,
    }
}

fn contents(line: &Timeline) -> Vec<Content> {
    line.entries().iter().map(|entry| entry.content).collect()
}

#[test]
fn rule_12_handover_puts_what_the_other_saw_in_front() {
    let stored = timeline(&[(A, 10), (B, 20)]);
    let mut own = Timeline::new(&listed(B, 20), true);
    own.observe(&read(C, 30));
    for _ in 0..2 {
        own.merge(&stored, handover(25, 28));
        let known = |content| Content::Known(digest(content));
        assert_eq!(contents(&own), [known(A), known(B), known(C)]);
        assert!(!own.is_open());
    }
    assert_eq!(standing(&own, live(15, 15)), lacks(1));
    assert_eq!(standing(&own, live(25, 25)), lacks(2));
    assert_eq!(standing(&own, live(30, 30)), Standing::Current);
}

#[test]
fn rule_12_handover_over_a_span_that_nobody_watched() {
    let stored = timeline(&[(A, 10)]);
    let known = |content| Content::Known(digest(content));
    // Changed in between.
    let mut own = Timeline::new(&listed(B, 30), true);
    own.merge(&stored, handover(25, 40));
    assert_eq!(contents(&own), [known(A), known(B)]);
    assert_eq!(standing(&own, old(30)), lacks(1));
    assert_eq!(standing(&own, old(31)), Standing::Current);
    // A key went: no time tells when.
    let mut own = Timeline::new(&listed(B, 30), true);
    own.merge(
        &stored,
        Handover {
            key_went: true,
            ..handover(25, 40)
        },
    );
    assert_eq!(standing(&own, old(40)), lacks(1));
    // It went as a whole.
    let mut own = Timeline::new(&gone(None, 35), true);
    own.merge(&stored, handover(25, 40));
    own.observe(&read(A, 50));
    assert_eq!(contents(&own), [known(A), known(NOTHING), known(A)]);
    let mut optional = gone(None, 35);
    optional.missing = false;
    let mut own = Timeline::new(&optional, true);
    own.merge(&stored, handover(25, 40));
    assert_eq!(standing(&own, old(40)), lacks(1));
    // The same content, but its data moved.
    let mut own = Timeline::new(&listed(A, 30), true);
    own.merge(&stored, handover(25, 40));
    assert_eq!(standing(&own, old(20)), Standing::Current);
    assert_eq!(standing(&own, old(27)), Standing::Unknown);
    assert_eq!(standing(&own, old(31)), Standing::Current);
}

#[test]
fn rule_12_handover_keeps_what_we_know_longer() {
    let own = timeline(&[(A, 10), (B, 20)]);
    let mut merged = own.clone();
    merged.merge(&timeline(&[(B, 20)]), handover(25, 30));
    assert_eq!(merged, own);
}

#[test]
fn a_lost_key_keeps_what_is_unchanged() {
    let line = timeline(&[(A, 10), (B, 20), (A, 30), (C, 40), (A, 50)]);
    let restated = line.restate(digest(9));
    for start in [old(5), old(15), old(25), old(35), old(45), old(55)] {
        assert_eq!(standing(&restated, start), standing(&line, start));
    }
}

#[test]
fn what_a_pod_lacks_begins_after_the_content_was_last_the_same() {
    let line = timeline(&[(A, 10), (B, 20), (A, 30), (C, 40)]);
    assert_eq!(standing(&line, old(15)), lacks(3));
    assert_eq!(standing(&line, old(25)), lacks(2));
    assert_eq!(standing(&line, old(35)), lacks(3));
}

#[test]
fn a_stored_timeline_must_end_with_known_content() {
    assert!(Timeline::restore(Vec::new(), false).is_none());
    let mut entries = timeline(&[(A, 10), (B, 20)]).entries().to_vec();
    assert!(Timeline::restore(entries.clone(), true).is_some());
    entries[1].content = Content::Unread;
    assert!(Timeline::restore(entries, true).is_none());
}

#[test]
fn a_pod_has_what_differs_only_in_covered_keys() {
    let change = |content, rv, key: &str| Observation {
        changed: vec![key.into()],
        ..read(content, rv)
    };
    let covered = |key: &str| key == "covered";
    let index = |seen: &[Observation<'_>]| {
        let mut timeline = timeline(&[(A, 10)]);
        for seen in seen {
            timeline.observe(seen);
        }
        timeline.alike(covered)
    };
    let unnamed = Observation {
        unnamed: true,
        ..change(B, 20, "covered")
    };
    assert_eq!(index(&[]), 0);
    assert_eq!(index(&[change(B, 20, "covered")]), 0);
    assert_eq!(index(&[change(B, 20, "seen")]), 1);
    assert_eq!(index(&[change(B, 20, "seen"), change(C, 30, "covered")]), 1);
    assert_eq!(index(&[change(B, 20, "covered"), change(C, 30, "seen")]), 2);
    // Whatever may have changed beside it counts.
    assert_eq!(index(&[unnamed]), 1);
    assert_eq!(index(&[read(B, 20)]), 1);

    let has = |timeline: &Timeline, start| {
        let alike = timeline.alike(covered);
        timeline.standing(
            &start,
            &[],
            &reference(Place::EnvFrom, Class::Frozen, &[]),
            LAG,
            alike,
        )
    };
    let mut timeline = timeline(&[(A, 10)]);
    timeline.observe(&Observation {
        unread: &[edited(15)],
        ..change(B, 20, "covered")
    });
    assert_eq!(has(&timeline, live(12, 12)), Standing::Current);
    // Of what was never read nobody knows what else it had.
    assert_eq!(has(&timeline, live(16, 16)), Standing::Unknown);
    timeline.observe(&change(C, 30, "seen"));
    assert_eq!(has(&timeline, live(12, 12)), lacks(1));
}

#[test]
fn a_covered_key_that_changed_in_a_gap_outdates_nobody() {
    let covered = |key: &str| key == "covered";
    let mut timeline = timeline(&[(A, 10)]);
    let seen = Observation {
        changed: vec!["covered".into()],
        ..listed(B, 30)
    };
    timeline.observe_after(at(20), &seen);
    let alike = timeline.alike(covered);
    let has = |start| {
        timeline.standing(
            &start,
            &[],
            &reference(Place::EnvFrom, Class::Frozen, &[]),
            LAG,
            alike,
        )
    };
    assert_eq!(has(old(15)), Standing::Current);
    assert_eq!(has(old(25)), Standing::Unknown);
    assert_eq!(has(old(35)), Standing::Current);
}
