//! What the operator says of a change, held against what a container sees of it by the model of
//! the kubelet (tests/kubelet): random Pods here, and what was found wrong once in `regressions`.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::time::Duration;

use kubelet::cases::Seen;
use kubelet::{Given, Id, Kind, Pod, PodSpec as ModelSpec, Refused, Source, Sources};
use proptest::prelude::*;
use serde_json::Value;

use crate::core::content::digest::{DigestKey, reference_digest};
use crate::core::content::{Field, Reading, SourceContent};
use crate::core::history::record::{Answer, Record, SeenContent, Track, TrackKey};
use crate::core::history::timeline::Standing;
use crate::core::object::pod::{Container, Start};
use crate::core::project::pod_spec::PodSpec;
use crate::core::project::reference::{Reference, references};
use crate::core::testing::at;
use crate::core::time::Mono;
use crate::kinds::{Class, Rv, SourceId, SourceKind};

mod large;
mod pods;
mod regressions;
mod restarts;

/// A Pod spec, and the sources before and after an edit.
#[derive(Clone, Debug)]
struct Case {
    spec: Value,
    before: Sources,
    after: Sources,
}

/// Which changes there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Change {
    /// One that a running container never sees.
    frozen: bool,
    /// One that the kubelet brings.
    live: bool,
    /// A key came where an empty folder stands in its place, which was made for a subPath. The
    /// kubelet would bring it, but only a new Pod is rid of the folder.
    obstructed: bool,
    /// A container has bound an empty folder. What comes into the volume elsewhere does not change
    /// that; the operator does not know, and takes it for one that was emptied.
    vague: bool,
}

// === What the model says ===

impl Case {
    fn run(&self, sources: &Sources) -> Result<Pod, Refused> {
        let spec = ModelSpec::from_json(&self.spec).unwrap();
        Pod::run(spec, pods::given(), sources)
    }

    /// What containers see of the edit; `None` where a Pod can't run before or after it.
    fn seen(&self) -> Option<Change> {
        let spec = ModelSpec::from_json(&self.spec).unwrap();
        let old = self.run(&self.before).ok()?;
        let new = self.run(&self.after).ok()?;
        let refresh = |sources| {
            let mut pod = old.clone();
            pod.refresh_all(sources);
            pod
        };
        let (idle, refreshed) = (refresh(&self.before), refresh(&self.after));
        let mut change = Change::default();
        for container in spec.all_containers() {
            let name = &container.name;
            let seen = |pod: &Pod| pod.seen(name).unwrap();
            // An init container has ended when its files are refreshed.
            let now = if spec.ends_first(name) {
                &old
            } else {
                &refreshed
            };
            if seen(&idle) != seen(&old) {
                // A folder that was made for a subPath among the files is removed at once, and
                // with it all the files of then: nothing that an edit does.
                return None;
            }
            change.frozen |= seen(now) != seen(&new);
            change.live |= seen(&old) != seen(now);
            // Only a new start brings back a folder that was emptied.
            change.frozen |= old.bound(name) != now.bound(name);
            change.vague |= container.volume_mounts.iter().any(|mount| {
                let mut bound = old.bound(name).into_keys();
                let is_file = bound.any(|path| path.starts_with(&mount.mount_path));
                mount.sub_path.contains('d') && !is_file
            });
        }
        change.obstructed = refreshed.is_obstructed();
        Some(change)
    }
}

// === What the operator says ===

fn key() -> DigestKey {
    DigestKey::new(&[7; 32])
}

fn content(id: &SourceId, sources: &Sources, version: u64) -> SourceContent {
    let kind = if id.kind == SourceKind::SECRET {
        Kind::Secret
    } else {
        Kind::ConfigMap
    };
    let Some(source) = sources.get(&(kind, id.name.to_string())) else {
        return SourceContent::Absent;
    };
    let data = source.data.iter().map(|pair| (Field::Data, pair));
    let binary = source
        .binary_data
        .iter()
        .map(|pair| (Field::BinaryData, pair));
    let keys = data.chain(binary).map(|(field, (name, value))| {
        let digest = key().key_digest(id, name, value.as_bytes());
        (name.as_str().into(), (field, digest))
    });
    SourceContent::Present(Reading {
        uid: "u".into(),
        resource_version: version.to_string().into(),
        created: jiff::Timestamp::UNIX_EPOCH,
        data_time: None,
        immutable: source.immutable,
        keys: keys.collect(),
    })
}

impl Case {
    fn references(&self) -> Vec<Reference> {
        let spec: PodSpec = serde_json::from_value(self.spec.clone()).unwrap();
        references(&spec).unwrap()
    }

    /// What the operator says of a Pod that started between the two in each of its references,
    /// given what its containers report.
    fn standings(&self, reported: &[Container], lag: Duration) -> Vec<(Class, Standing)> {
        let references = self.references();
        let mut record = Record::new("u".into());
        for reference in &references {
            let mut track = Track::new(reference.fingerprint(), false);
            for (sources, second) in [(&self.before, 10), (&self.after, 20)] {
                let content = content(&reference.source_id(&"ns".into()), sources, second);
                let answer = Answer {
                    content: &content,
                    source: None,
                    date: at(second),
                    received: Mono::default(),
                    listed: None,
                    comparable: true,
                };
                let seen = SeenContent::of("ns", reference, &content, &key());
                track.observe(reference, &answer, &seen);
            }
            let key = TrackKey::of(reference);
            record.tracks.insert(key, Box::new(track));
        }
        let start = Start {
            rv: Some(Rv(15)),
            time: at(15),
            at_least: None,
        };
        let standing = |reference: &Reference| {
            let alike = record.alike(reference, &references);
            let timeline = record.tracks[&TrackKey::of(reference)].timeline.as_ref();
            let timeline = timeline.unwrap();
            let standing = timeline.standing(&start, reported, reference, lag, alike);
            (reference.class, standing)
        };
        references.iter().map(standing).collect()
    }

    /// Which changes the operator tells a Pod that started between the two.
    fn told(&self) -> Change {
        let mut change = Change::default();
        for (class, standing) in self.standings(&[], Duration::ZERO) {
            if let Standing::Outdated { .. } = standing {
                match class {
                    Class::Frozen => change.frozen = true,
                    Class::Live => change.live = true,
                }
            }
        }
        change
    }

    /// Whether the operator knows all that it depends on. It does not know which path an expression
    /// leads to, which variables there are in a file, and, of a ConfigMap that both variables and
    /// files show, which keys are binary.
    fn is_known(&self) -> bool {
        let spec = self.spec.to_string();
        let by_content = ["subPathExpr", "fileKeyRef"];
        let is_mixed = |reference: &Reference| {
            let places = reference
                .uses
                .iter()
                .map(|one| one.place.sees_binary_data());
            reference.source.0 == SourceKind::CONFIG_MAP
                && places.collect::<BTreeSet<_>>().len() > 1
        };
        !by_content.iter().any(|field| spec.contains(field))
            && !self.references().iter().any(is_mixed)
    }

    fn missing(&self, sources: &Sources) -> bool {
        self.references().iter().any(|reference| {
            let content = content(&reference.source_id(&"ns".into()), sources, 10);
            let projected = reference_digest("ns", reference, &content, &key());
            projected.missing.is_some()
        })
    }
}

#[test]
fn the_table_of_known_outcomes_holds() {
    for known in kubelet::cases::all() {
        let case = Case {
            before: kubelet::cases::sources(known.before),
            after: kubelet::cases::sources(known.after),
            spec: known.spec,
        };
        let told = match case.told() {
            told if told.frozen => Seen::AtStart,
            told if told.live => Seen::Live,
            _ => Seen::Never,
        };
        assert_eq!(told, known.seen, "{}", known.name);
        assert!(!case.missing(&case.before), "{}", known.name);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn no_change_that_a_container_sees_is_missed(case in pods::case()) {
        if let Some(seen) = case.seen() {
            let told = case.told();
            let enough = told.frozen || seen.obstructed && told.live;
            prop_assert!(enough || !seen.frozen, "{seen:?} {told:?}");
            prop_assert!(told.frozen || told.live || !seen.live, "{seen:?} {told:?}");
        }
    }

    #[test]
    fn no_change_is_told_that_no_container_sees(case in pods::case()) {
        if let Some(seen) = case.seen().filter(|_| case.is_known()) {
            let told = case.told();
            prop_assert!(seen.frozen || seen.vague || !told.frozen, "{seen:?} {told:?}");
            prop_assert!(seen.frozen || seen.live || !told.live, "{seen:?} {told:?}");
        }
    }

    #[test]
    fn something_is_missing_where_a_pod_can_not_start(case in pods::case()) {
        let refused = match case.run(&case.after) {
            Ok(_) => false,
            Err(Refused::NoSource(_) | Refused::NoKey(..)) => true,
            Err(_) => return Ok(()),
        };
        prop_assert_eq!(case.missing(&case.after), refused);
    }
}
