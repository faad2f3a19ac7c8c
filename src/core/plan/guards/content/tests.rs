//! What the sources hold.

use crate::api::reasons::Reason;
use crate::core::content::digest::Missing;
use crate::core::plan::Verdict;
use crate::core::plan::guards::tests::{Case, all_fresh, key, observation, seconds, source_gone};
use crate::kinds::SourceKind;

#[test]
fn what_is_missing_is_announced_once_it_outlasts_settle() {
    let mut case = Case::new().with(source_gone);
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
    timeline.observe(&again);
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
fn where_no_pod_is_wanted_and_none_is_left_nothing_is_held_for_what_is_missing() {
    let mut case = Case::new().with(source_gone);
    case.now = seconds(102);
    case.pods.clear();
    case.workload.replicas = 1;
    assert_eq!(case.decide().reason, Reason::SourceMissing);
    case.workload.replicas = 0;
    let decision = case.decide();
    assert_eq!(decision.reason, Reason::InSync);
    assert_eq!(decision.message, "There are no Pods.");
}

#[test]
fn what_the_policy_leaves_out_is_required_all_the_same() {
    let mut case = Case::new();
    assert_eq!(case.decide().reason, Reason::ContentChanged);
    case.absent = Some(((SourceKind::SECRET, "tls".into()), seconds(999)));
    let decision = case.decide();
    assert_eq!(decision.reason, Reason::SourceMissing);
    assert_eq!(decision.verdict, Verdict::Wait(Some(seconds(1001))));
    assert!(decision.message.starts_with("Secret/tls is required"));
    case.now = seconds(1001);
    assert_eq!(case.decide().verdict, Verdict::Hold);
}

#[test]
fn in_sync_says_how_sure_it_is() {
    for (pods, message) in [
        (0, "There are no Pods."),
        (1, "No Pod is outdated."),
        (
            2,
            "No Pod is known to be outdated; what 1 Pod started with can't be told.",
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
