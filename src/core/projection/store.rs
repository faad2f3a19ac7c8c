//! What is remembered of a workload → `Projection`.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use crate::api::limits::{MAX_CAUSES, MAX_KEYS, MAX_TIMELINE, cut};
use crate::api::projection::{
    ImmutableRecord, LastInSync, PodStart, ReferenceRecord, RollRecord, Since as StoredSince,
    TimelineEntry, TroubleRecord,
};
use crate::core::history::record::{Record, Roll, Track};
use crate::core::history::timeline::{Content, Entry, Timeline};
use crate::core::object::pod::Pod;
use crate::core::project::reference::Reference;
use crate::core::time::ServerTime;

// === Rolls ===

pub(super) fn stored_roll(roll: &Roll) -> RollRecord {
    RollRecord {
        revision: roll.revision.to_string(),
        time: Time(roll.time),
        resource_version: roll.rv.map(|rv| rv.to_string()),
        causes: roll
            .causes
            .iter()
            .take(MAX_CAUSES)
            .map(|cause| cut(cause.clone()))
            .collect(),
        state: roll.health.state,
        unready: roll.health.unready,
        completed: roll.health.completed.map(|moment| Time(moment.server)),
        trouble: roll.health.trouble.as_ref().map(|trouble| TroubleRecord {
            pod: trouble.pod.as_ref().map(ToString::to_string),
            reason: cut(trouble.reason.to_string()),
            since: Time(trouble.since),
        }),
    }
}

// === References ===

pub(super) fn stored_reference(reference: &Reference, track: &Track) -> ReferenceRecord {
    let mut uses: Vec<String> = reference
        .uses
        .iter()
        .map(|one| one.place.as_str().to_owned())
        .collect();
    uses.dedup();
    let (keys, total): (Vec<String>, usize) = match reference.keys() {
        Some(keys) => (
            keys.iter()
                .take(MAX_KEYS)
                .map(|key| (*key).to_owned())
                .collect(),
            keys.len(),
        ),
        None => (
            track.keys.keys().map(|key| key.to_string()).collect(),
            track.keys.len(),
        ),
    };
    let read = track.read.as_ref();
    let entries = track.timeline.as_ref().map_or(&[][..], Timeline::entries);
    let surplus = entries.len().saturating_sub(MAX_TIMELINE);
    ReferenceRecord {
        kind: reference.source.0,
        name: reference.source.1.to_string(),
        class: reference.class,
        uses,
        optional: reference.uses.iter().all(|one| one.optional),
        keys,
        keys_total: u32::try_from(total).unwrap_or(u32::MAX),
        missing: track.missing.is_some(),
        fingerprint: track.fingerprint.to_string(),
        source_uid: read
            .and_then(|read| read.uid.as_ref())
            .map(ToString::to_string),
        source_resource_version: read.and_then(|read| read.rv).map(|rv| rv.to_string()),
        key_digests: track
            .keys
            .iter()
            .filter_map(|(name, digest)| Some((name.to_string(), digest.as_ref()?.to_string())))
            .collect(),
        keys_left_out: track.keys_left_out,
        timeline: entries.iter().skip(surplus).map(stored_entry).collect(),
        immutable: track.node_copy.as_ref().map(|copy| ImmutableRecord {
            uid: copy.uid.to_string(),
            digest: copy.digest.to_string(),
        }),
        open: surplus == 0 && track.timeline.as_ref().is_some_and(Timeline::is_open),
    }
}

fn stored_entry(entry: &Entry) -> TimelineEntry {
    TimelineEntry {
        digest: match entry.content {
            Content::Known(digest) => Some(digest.to_string()),
            Content::Unread | Content::Unsure => None,
        },
        unsure: entry.content == Content::Unsure,
        since: StoredSince {
            resource_version: entry.since.rv.map(|rv| rv.to_string()),
            exact: entry.since.exact,
            time: (entry.since.time != ServerTime::MIN).then_some(Time(entry.since.time)),
        },
        missing: entry.missing,
        changed: entry.changed.iter().map(ToString::to_string).collect(),
        unnamed: entry.unnamed,
        good: entry.good.map(Time),
    }
}

// === Pods' starts and the last time in sync ===

/// The starts of Pods that a time in whole seconds would place elsewhere among
/// the contents.
pub(super) fn starts(record: &Record, pods: &[(&Pod, bool)]) -> Vec<PodStart> {
    let timelines = || {
        let tracks = record.tracks.values();
        tracks.filter_map(|track| track.timeline.as_ref())
    };
    let mut starts: Vec<PodStart> = pods
        .iter()
        .filter(|(pod, _)| pod.active)
        .filter_map(|(pod, _)| {
            let start = record.start_of(pod);
            let needed = timelines().any(|timeline| timeline.needs_version(&start));
            Some(PodStart {
                uid: pod.uid.to_string(),
                resource_version: start.rv.filter(|_| needed)?.to_string(),
            })
        })
        .collect();
    starts.sort_by(|a, b| a.uid.cmp(&b.uid));
    starts
}

/// The contents that were in force then, not those of now.
pub(super) fn last_in_sync(record: &Record) -> Option<LastInSync> {
    let synced = |track: &Track| {
        let entries = track.timeline.as_ref()?.entries().iter();
        let entry = entries.rev().find(|entry| entry.synced.is_some())?;
        match entry.content {
            Content::Known(digest) => Some((track.fingerprint.to_string(), digest.to_string())),
            Content::Unread | Content::Unsure => None,
        }
    };
    Some(LastInSync {
        time: Time(record.last_in_sync?),
        digests: (record.tracks.values())
            .filter_map(|track| synced(track))
            .collect(),
    })
}
