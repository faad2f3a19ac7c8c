//! Histories in which a promise was broken once, as small as they could be made.

use super::check;
use super::faults::{Fault, Target};
use super::history::{History, Op};
use super::objects::Kind;
use super::workloads::WorkKind;

/// Checks a history of one workload, each operation after so many milliseconds.
fn holds(kind: WorkKind, shape: usize, replicas: u8, ops: &[(u16, Op)]) {
    let history = History {
        seed: 0,
        works: vec![(kind, shape)],
        replicas,
        ops: ops.to_vec(),
    };
    if let Err(report) = check(&history) {
        panic!("{report}");
    }
}

fn set(source: u8, value: u8) -> Op {
    Op::Set {
        source,
        key: 0,
        value,
        other_manager: false,
    }
}

/// A paused Deployment's controller makes no ReplicaSet of a new template.
#[test]
fn a_paused_deployment_with_another_template_is_said_to_be_paused() {
    let pause = Op::Pause {
        work: 0,
        paused: true,
    };
    let reshape = Op::Reshape { work: 0, shape: 1 };
    let ops = [(0, pause), (0, reshape), (0, set(0, 1))];
    holds(WorkKind::Deployment, 0, 1, &ops);
}

/// Files are refreshed in time, whatever else holds the workload.
#[test]
fn a_refreshed_pod_is_told_of_though_its_deployment_is_paused() {
    let pause = Op::Pause {
        work: 0,
        paused: true,
    };
    let observe = Op::Policy {
        observe: true,
        suspend: false,
        quick: false,
    };
    let ops = [(0, pause), (0, observe), (0, set(0, 1))];
    let ops = [&ops[..], &[(0, Op::Restart { work: 0 })]].concat();
    holds(WorkKind::Deployment, 2, 1, &ops);
}

/// Under Observe files are refreshed; under Rollout a Pod has what it started with.
#[test]
fn a_refreshed_pod_is_rolled_once_the_policy_says_so() {
    let policy = |observe| Op::Policy {
        observe,
        suspend: false,
        quick: false,
    };
    let ops = [policy(true), set(1, 1), Op::Rest, policy(false)];
    holds(WorkKind::Deployment, 1, 1, &ops.map(|op| (0, op)));
}

/// A Pod was created before a change that is soon undone, and started in it.
#[test]
fn a_pod_that_started_in_a_passing_content_is_outdated() {
    let suspend = Op::Policy {
        observe: false,
        suspend: true,
        quick: false,
    };
    let set = |value| Op::Set {
        source: 0,
        key: 1,
        value,
        other_manager: false,
    };
    let burst = Op::Burst {
        source: 0,
        key: 1,
        edits: 4,
        millis: 861,
    };
    let ops = [
        (0, Op::Wait { millis: 1619 }),
        (57, suspend),
        (0, set(2)),
        (52, Op::Reshape { work: 0, shape: 2 }),
        (793, burst),
        (0, set(2)),
    ];
    let history = History {
        seed: 7_655_777_661_924_209_391,
        works: vec![(WorkKind::DaemonSet, 3)],
        replicas: 2,
        ops: ops.to_vec(),
    };
    check(&history).unwrap();
}

/// Its template went away and came back, and meanwhile what it requires was deleted.
#[test]
fn a_pod_that_runs_without_what_it_requires_is_not_fresh() {
    let unset = Op::Unset { source: 1, key: 0 };
    let back = Op::Set {
        source: 0,
        key: 1,
        value: 0,
        other_manager: false,
    };
    let history = History {
        seed: 0,
        works: vec![(WorkKind::Deployment, 0), (WorkKind::DaemonSet, 1)],
        replicas: 1,
        ops: vec![
            (0, unset),
            (0, Op::Wait { millis: 4684 }),
            (8, Op::Reshape { work: 1, shape: 3 }),
            (2, Op::Delete { source: 0 }),
            (56, back),
            (0, Op::Undo { work: 1 }),
        ],
    };
    check(&history).unwrap();
}

/// Only who saw it live knows that a container started before what passed within its
/// second; a restart alone rolls nothing all the same.
#[test]
fn a_restart_rolls_nothing_for_a_content_that_passed() {
    let ops = [
        (54, Op::Recreate { work: 0, shape: 5 }),
        (4058, Op::Restart { work: 0 }),
        (2440, set(0, 1)),
        (0, set(0, 0)),
        (2000, Op::StopReplica { slot: 0 }),
    ];
    for millis in (0..2000).step_by(250) {
        let ops = [&[(millis, Op::Wait { millis: 0 })], &ops[..]].concat();
        holds(WorkKind::Deployment, 2, 1, &ops);
    }
}

/// A version that nobody read passed while a container started, and the answer that
/// followed it came later than that start.
#[test]
fn a_container_that_started_in_an_unread_version_is_not_said_to_be_fresh() {
    let policy = |observe| Op::Policy {
        observe,
        suspend: false,
        quick: false,
    };
    let fail = Op::Fail {
        target: Target::Reads,
        fault: Fault::Error,
        times: 1,
    };
    let stall = Op::Stall {
        slot: 0,
        kind: Kind::ConfigMap,
        millis: 2807,
    };
    let burst = Op::Burst {
        source: 0,
        key: 1,
        edits: 4,
        millis: 1419,
    };
    let history = History {
        seed: 4_272_823_609_471_280_231,
        works: vec![(WorkKind::Deployment, 2)],
        replicas: 1,
        ops: vec![
            (1012, policy(true)),
            (118, set(2, 1)),
            (46, Op::DeletePod { work: 0, pod: 2 }),
            (37, policy(false)),
            (1014, Op::Reshape { work: 1, shape: 0 }),
            (544, set(0, 1)),
            (2127, Op::Delete { source: 1 }),
            (912, fail),
            (1584, Op::Undo { work: 0 }),
            (554, stall),
            (51, burst),
        ],
    };
    check(&history).unwrap();
}

/// The first read takes long, and finds one of several edits.
#[test]
fn what_is_unknown_counts_as_having_what_was_read_first() {
    let fail = Op::Fail {
        target: Target::Reads,
        fault: Fault::Hang,
        times: 1,
    };
    let observe = Op::Policy {
        observe: true,
        suspend: false,
        quick: false,
    };
    let burst = |edits, millis| Op::Burst {
        source: 1,
        key: 0,
        edits,
        millis,
    };
    let ops = [
        (554, Op::StopReplica { slot: 0 }),
        (899, Op::Wait { millis: 20_159 }),
        (485, Op::Wait { millis: 16_626 }),
        (6, Op::StartReplica { slot: 1 }),
        (76, fail),
        (2355, observe),
        (2567, burst(2, 18)),
        (0, set(0, 0)),
        (
            0,
            Op::Pause {
                work: 0,
                paused: false,
            },
        ),
        (0, burst(4, 195)),
    ];
    holds(WorkKind::Deployment, 4, 1, &ops);
}

/// A container starts again while the kubelet has not written its volume anew.
#[test]
fn a_container_that_has_bound_an_old_file_is_not_said_to_be_fresh() {
    let policy = |suspend| Op::Policy {
        observe: false,
        suspend,
        quick: false,
    };
    let crash = |pod| Op::Crash { work: 0, pod };
    // Pods of which all is known.
    let restart = Op::Restart { work: 0 };
    let ops = [
        (3000, restart),
        (9000, policy(true)),
        (3000, set(0, 1)),
        (5000, crash(0)),
        (0, crash(1)),
        (0, Op::Rest),
        (0, policy(false)),
    ];
    holds(WorkKind::Deployment, 6, 1, &ops);
}
