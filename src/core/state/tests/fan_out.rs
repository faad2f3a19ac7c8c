//! A source that many workloads refer to.

use super::*;
use crate::core::content::digest::DIGESTS;
use crate::core::object::workload::Workload;
use crate::core::testing::variable;
use crate::kinds::WorkloadKind;

const WORKLOADS: usize = 1_000;

#[test]
fn a_content_is_digested_once_for_all_that_see_the_same_of_it() {
    let mut world = in_sync();
    for number in 0..WORKLOADS {
        let reference = match number % 2 {
            0 => reference("app", Class::Frozen, false),
            _ => variable("app", "k0007", false),
        };
        let workload = Workload {
            references: [reference].into(),
            ..world.workload.clone()
        };
        let id = WorkloadId::new(WorkloadKind::DEPLOYMENT, "shop", format!("web-{number}"));
        let now = world.now();
        let change = |state: &mut State| state.index.apply_workload(&id, workload);
        world.state.change(now, change);
    }
    let names: Vec<_> = (0..2_000).map(|number| format!("k{number:04}")).collect();
    let data: Vec<_> = names.iter().map(|name| (name.as_str(), "1")).collect();
    world.write("app", &data);
    let content = world.content("app");
    let before = DIGESTS.get();
    let now = world.moment();
    let users = world.state.take_in(&config_map("app"), &content, now);
    assert_eq!(users.len(), WORKLOADS + 1);
    // Each of two selections, and what it sees of an absent source.
    assert_eq!(DIGESTS.get() - before, 4);
    let tracks = world
        .state
        .managed
        .values()
        .map(|one| one.record.tracks.values());
    assert!(tracks.flatten().all(|track| track.timeline.is_some()));
}
