//! What somebody wishes.

use crate::api::projection::PodState;
use crate::core::plan::Verdict;
use crate::core::plan::guards::tests::{Case, observe, seconds};

#[test]
fn observe_waits_for_the_kubelet() {
    let case = Case::new().with(observe).with(|case| {
        case.pods[0].until = Some(seconds(1200));
        case.pods[1].until = Some(seconds(1100));
    });
    assert_eq!(case.decide().verdict, Verdict::Wait(Some(seconds(1100))));
}

#[test]
fn observe_holds_what_no_kubelet_refreshes() {
    let until = |case: &mut Case| case.pods[0].until = Some(seconds(1200));
    let one = Case::new().with(observe).with(until);
    assert_eq!(
        one.decide().verdict,
        Verdict::Hold,
        "the other needs somebody"
    );
    let both = one.with(|case| {
        case.pods[1].until = Some(seconds(1100));
        case.pods[0].state = PodState::Stale;
    });
    assert_eq!(
        both.decide().verdict,
        Verdict::Hold,
        "its process is old too"
    );
}
