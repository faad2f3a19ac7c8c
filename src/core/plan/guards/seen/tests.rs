//! What has to be seen first.

use crate::api::reasons::Reason;
use crate::core::history::record::Origin;
use crate::core::plan::guards::tests::Case;
use crate::kinds::Rv;

#[test]
fn what_is_stored_is_not_acted_on_before_its_source_is_looked_at() {
    for origin in [Origin::Stored, Origin::Foreign] {
        let decision = Case::new()
            .with(|case| case.track().origin = origin)
            .decide();
        assert_eq!(decision.reason, Reason::SourceNotRead);
    }
}

#[test]
fn own_write_is_seen_once_the_watch_brings_it_or_a_later_one() {
    for (written, seen) in [(None, true), (Some(0), true), (Some(1), false)] {
        let case = Case::new().with(|case| {
            let rv = case.workload.rv.unwrap();
            case.record.written = written.map(|more| Rv(rv.0 + more));
        });
        assert_eq!(case.decide().reason != Reason::OwnWriteNotSeen, seen);
    }
}
