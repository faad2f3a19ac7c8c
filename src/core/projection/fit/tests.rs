use super::*;
use crate::api::projection::{PodStart, ReferenceRecord, Since, TimelineEntry};
use crate::kinds::{Class, SourceKind};

const DIGEST: &str = "v1.00000000.00000000000000000000000000000000";

/// A reference with as much as is kept of one, whose keys have names of so many bytes.
fn reference(number: usize, class: Class, key: usize) -> ReferenceRecord {
    let keys: Vec<String> = (0..64).map(|at| format!("{at:0key$}")).collect();
    let entry = |version: usize| TimelineEntry {
        digest: Some(DIGEST.to_owned()),
        unsure: false,
        since: Since {
            resource_version: Some(format!("{}", 1_000_000 + version)),
            exact: true,
            time: None,
        },
        missing: false,
        changed: keys[..10].to_vec(),
        unnamed: false,
        good: None,
    };
    ReferenceRecord {
        kind: SourceKind::CONFIG_MAP,
        name: format!("source-{number}"),
        class,
        uses: vec!["volume".to_owned()],
        optional: false,
        keys_total: 64,
        missing: false,
        fingerprint: "0".repeat(32),
        source_uid: Some("11111111-2222-4333-8444-555555555555".to_owned()),
        source_resource_version: Some("1000008".to_owned()),
        key_digests: keys
            .iter()
            .map(|key| (key.clone(), DIGEST.to_owned()))
            .collect(),
        keys_left_out: false,
        timeline: (0..8).map(entry).collect(),
        open: true,
        immutable: None,
        keys,
    }
}

fn status(sources: usize, classes: &[Class], key: usize) -> ProjectionStatus {
    let references = (0..sources).flat_map(|number| {
        let of_class = move |class: &Class| reference(number, *class, key);
        classes.iter().map(of_class)
    });
    ProjectionStatus {
        references: references.collect(),
        ..ProjectionStatus::default()
    }
}

/// What is needed so that a restart without a change rolls nothing, and one with a change does.
fn newest(status: &ProjectionStatus) -> Vec<(String, Option<String>, TimelineEntry)> {
    let references = status.references.iter();
    let essence = |one: &ReferenceRecord| {
        let newest = one.timeline.last().cloned().unwrap();
        let newest = TimelineEntry {
            changed: Vec::new(),
            unnamed: false,
            ..newest
        };
        (
            one.fingerprint.clone(),
            one.source_resource_version.clone(),
            newest,
        )
    };
    references.map(essence).collect()
}

#[test]
fn what_fits_is_left_as_it_is() {
    let mut ordinary = status(20, &[Class::Live], 10);
    let before = ordinary.clone();
    assert_eq!(fit(&mut ordinary), None);
    assert_eq!(ordinary, before);
}

#[test]
fn a_projection_that_would_be_too_large_keeps_what_a_restart_needs() {
    let cases = [
        // Sizes that were never written, at 1.5 MiB.
        (status(27, &[Class::Live], 253), 1),
        (status(300, &[Class::Live, Class::Frozen], 10), 1),
        (status(1_500, &[Class::Live], 10), 2),
    ];
    for (mut large, steps) in cases {
        assert!(size(&large) > MAX_BYTES);
        let before = newest(&large);
        let told = fit(&mut large).unwrap();
        assert_eq!(told.split(", ").count(), steps, "{told}");
        assert!(size(&large) <= MAX_BYTES);
        assert_eq!(newest(&large), before);
        assert!(large.references.iter().all(|one| one.keys_left_out));
    }
}

#[test]
fn whatever_there_is_fits_in_the_end() {
    let mut large = status(10_000, &[Class::Live], 3);
    let start = PodStart {
        uid: "11111111-2222-4333-8444-555555555555".to_owned(),
        resource_version: "1000000".to_owned(),
    };
    large.starts = vec![start; 5_000];
    assert!(
        fit(&mut large)
            .unwrap()
            .ends_with("the last references by name")
    );
    assert!((MAX_BYTES - 2_000..=MAX_BYTES).contains(&size(&large)));
    assert!(large.references.len() > 1_000 && large.starts.is_empty());
}
