//! How soon and how often a workload is rolled.

use std::sync::Arc;

use crate::api::Duration;
use crate::api::reasons::Reason;
use crate::core::history::timeline::{Observation, Timeline};
use crate::core::plan::guards::pace::REMOVALS;
use crate::core::plan::guards::tests::{Case, contest, observation, seconds};
use crate::core::plan::{Act, Verdict};

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
        case.policy(|policy| policy.rules.settle = Duration::default());
        case.now = seconds(100);
    });
    assert!(matches!(case.decide().verdict, Verdict::Act(Act::Roll(_))));
}

#[test]
fn a_content_without_a_version_is_rolled_in_a_later_second() {
    for (now, settling) in [(100, true), (101, true), (102, false)] {
        let case = Case::new().with(|case| {
            case.policy(|policy| policy.rules.settle = Duration::default());
            let unversioned = |content, second| Observation {
                rv: None,
                edited: None,
                ..observation(content, second)
            };
            let mut timeline = Timeline::new(&unversioned(1, 50), false);
            timeline.observe(&unversioned(2, 100));
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
        let timeline = case.track().timeline.as_mut().unwrap();
        timeline.observe(&observation(3, 200));
    }));
}
