//! What is left to the workload's controller.

use crate::api::reasons::Reason;
use crate::core::object::workload::Update;
use crate::core::plan::guards::tests::{Case, older_template, pod};
use crate::core::plan::{Act, Verdict};

const ORDERED: Update = Update::Ordinal {
    partition: 0,
    ordered: true,
};
const PARALLEL: Update = Update::Ordinal {
    partition: 0,
    ordered: false,
};

fn crashes(case: &mut Case, at: usize) {
    case.pods[at].ready = false;
    case.pods[at].broken = Some("CrashLoopBackOff".into());
}

/// The message of `Blocked`, where that is what is decided.
fn blocked(set: fn(&mut Case)) -> Option<String> {
    let decision = Case::new().with(older_template).with(set).decide();
    (decision.reason == Reason::Blocked).then_some(decision.message)
}

#[test]
fn a_pod_that_the_rollout_waits_for_blocks_it() {
    let waits = |pod| {
        let message = format!(
            "2 Pods outdated: the rollout waits for Pod {pod}, which is in CrashLoopBackOff."
        );
        Some(message)
    };
    let new = blocked(|case| {
        case.pods.push(pod("web-2", true, false));
        crashes(case, 2);
    });
    assert_eq!(new, waits("web-2"));
    // An old one is waited for only where Pods are replaced in order.
    assert_eq!(blocked(|case| crashes(case, 0)), None);
    let ordered = blocked(|case| {
        case.workload.update = ORDERED;
        crashes(case, 0);
    });
    assert_eq!(ordered, waits("web-0"));
    let parallel = blocked(|case| {
        case.workload.update = PARALLEL;
        crashes(case, 0);
    });
    assert_eq!(parallel, None);
}

#[test]
fn a_pod_that_is_ready_blocks_nothing() {
    let ready = blocked(|case| {
        case.workload.update = ORDERED;
        crashes(case, 0);
        case.pods[0].ready = true;
    });
    assert_eq!(ready, None);
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
