//! What is left to the workload's controller.

use crate::api::reasons::Reason;
use crate::core::object::workload::Update;
use crate::core::plan::guards::tests::{Case, older_template, pod, seconds};
use crate::core::plan::{Act, Unready, Verdict};
use crate::core::testing::at as time;
use crate::core::time::Moment;

const ORDERED: Update = Update::Ordinal {
    partition: 0,
    ordered: true,
};
const PARALLEL: Update = Update::Ordinal {
    partition: 0,
    ordered: false,
};

fn crashes(case: &mut Case, at: usize) {
    waits(case, at, 999, Some("CrashLoopBackOff"));
}

/// A Pod has not been ready since that second.
fn waits(case: &mut Case, at: usize, since: u64, why: Option<&str>) {
    let since = Moment {
        mono: seconds(since),
        server: time(since),
    };
    case.pods[at].unready = Some(Unready::new(since, why.map(Into::into)));
}

/// The message of `Blocked`, where that is what is decided.
fn blocked(set: fn(&mut Case)) -> Option<String> {
    let decision = Case::new().with(older_template).with(set).decide();
    (decision.reason == Reason::Blocked).then_some(decision.message)
}

#[test]
fn a_pod_that_the_rollout_waits_for_blocks_it() {
    let blocks = |pod| {
        let message = format!(
            "2 Pods outdated: the rollout waits for Pod {pod}, which is in CrashLoopBackOff."
        );
        Some(message)
    };
    let new = blocked(|case| {
        case.pods.push(pod("web-2", true, false));
        crashes(case, 2);
    });
    assert_eq!(new, blocks("web-2"));
    // An old one is waited for only where Pods are replaced in order.
    assert_eq!(blocked(|case| crashes(case, 0)), None);
    let ordered = blocked(|case| {
        case.workload.update = ORDERED;
        crashes(case, 0);
    });
    assert_eq!(ordered, blocks("web-0"));
    let parallel = blocked(|case| {
        case.workload.update = PARALLEL;
        crashes(case, 0);
    });
    assert_eq!(parallel, None);
}

/// A StatefulSet, ordered or not, waits for a Pod that runs and never gets ready; a DaemonSet for a new
/// one.
#[test]
fn a_pod_that_does_not_get_ready_blocks_once_that_lasts() {
    let lasts = |since, why, update, at: usize| {
        let mut case = Case::new().with(older_template);
        case.workload.update = update;
        case.pods.push(pod("web-2", true, false));
        waits(&mut case, at, since, why);
        case.decide()
    };
    let said = "2 Pods outdated: the rollout waits for Pod web-2, which has not been ready since 2027-01-15T08:14:40Z.";
    for update in [ORDERED, PARALLEL, Update::Automatic] {
        let decision = lasts(880, None, update, 2);
        assert_eq!(
            (decision.reason, &*decision.message),
            (Reason::Blocked, said)
        );
        assert_eq!(lasts(881, None, update, 2).reason, Reason::BeingReplaced);
    }
    assert_eq!(lasts(880, None, PARALLEL, 0).reason, Reason::Blocked);
    assert_eq!(
        lasts(880, None, Update::Automatic, 0).reason,
        Reason::BeingReplaced,
        "an old Pod is replaced whatever it does"
    );
    // What it projects may come a moment later.
    let config = Some("CreateContainerConfigError");
    assert_eq!(lasts(971, config, ORDERED, 2).reason, Reason::BeingReplaced);
    assert_eq!(lasts(970, config, ORDERED, 2).reason, Reason::Blocked);
}

#[test]
fn a_rollout_that_goes_on_is_not_blocked_by_one_slow_pod() {
    let mut case = Case::new().with(older_template);
    for name in ["web-2", "web-3"] {
        case.pods.push(pod(name, true, false));
    }
    waits(&mut case, 2, 100, None);
    waits(&mut case, 3, 990, None);
    assert_eq!(case.decide().reason, Reason::BeingReplaced);
    case.pods[3].unready = None;
    assert_eq!(case.decide().reason, Reason::Blocked);
}

#[test]
fn a_partition_holds_back_only_where_it_is_above_all_outdated_pods() {
    for (partition, reason) in [
        (0, Reason::BeingReplaced),
        (1, Reason::BeingReplaced),
        (2, Reason::HeldByPartition),
    ] {
        let case = Case::new().with(older_template).with(|case| {
            case.workload.update = Update::Ordinal {
                partition,
                ordered: true,
            };
        });
        assert_eq!(case.decide().reason, reason, "{partition}");
    }
}

#[test]
fn one_outdated_pod_of_the_current_template_is_enough_for_a_roll() {
    let sets: [fn(&mut Case); 4] = [
        |_| {},
        |case| case.workload.update = Update::OnDelete,
        |case| case.workload.stuck = Some("quota exceeded".into()),
        |case| {
            case.workload.update = Update::Ordinal {
                partition: 2,
                ordered: true,
            }
        },
    ];
    for set in sets {
        let case = Case::new().with(older_template).with(set);
        let mixed = case.with(|case| case.pods[0].current = true);
        assert!(matches!(mixed.decide().verdict, Verdict::Act(Act::Roll(_))));
    }
}
