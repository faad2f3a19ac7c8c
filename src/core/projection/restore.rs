//! `Projection` → what is remembered of a workload.

use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use crate::api::projection::{
    LastInSync, ProjectionSpec, ProjectionStatus, ReferenceRecord, RollRecord, TimelineEntry,
};
use crate::core::content::digest::{Digest, DigestKey, KeyId, ProjectedKeys};
use crate::core::history::record::{
    Contest, Health, NodeCopy, Origin, Record, Roll, Track, TrackKey, Trouble, Version,
};
use crate::core::history::timeline::{Content, Entry, Since, Timeline, second_before};
use crate::core::object::workload::Template;
use crate::core::time::{Moment, Mono, ServerTime};
use crate::kinds::Rv;

/// Takes up what an earlier process, or another replica, has stored.
///
/// Nothing in it can fail: what can't be understood is left out, and what it was
/// about is seen anew. `key` tells which digests can be compared.
#[must_use]
pub fn restore(
    spec: &ProjectionSpec,
    status: &ProjectionStatus,
    key: &DigestKey,
    now: Moment,
) -> Record {
    let mut record = Record::new(spec.workload.uid.as_str().into());
    let rolls = status.rolls.iter().rev();
    record.rolls = rolls.map(|roll| restored_roll(roll, now)).collect();
    record.last_roll = record.rolls.last().and_then(|roll| before(now, roll.time));
    record.contest = Contest {
        revision: status
            .contested
            .as_ref()
            .map(|contested| contested.revision.as_str().into()),
        // A removal while nobody watched is not counted.
        present: false,
        removals: status
            .contested
            .as_ref()
            .map_or(0, |contested| contested.removals),
        replaced_by: None,
    };
    record.template = status
        .template_hash
        .as_deref()
        .and_then(parse_hex)
        .map(|hash| Template {
            hash,
            revision: None,
        });
    record.starts = status
        .starts
        .iter()
        .filter_map(|start| {
            Some((
                start.uid.as_str().into(),
                Rv::parse(&start.resource_version)?,
            ))
        })
        .collect();
    record.last_in_sync = status.last_in_sync.as_ref().map(|last| last.time.0);
    for stored in &status.references {
        if let Some((key, track)) = restored_track(stored, status.last_in_sync.as_ref(), key.id()) {
            record.tracks.insert(key, Box::new(track));
        }
    }
    record
}

/// When something that the server dated `time` was, by the operator's clock;
/// `None` if that was before its zero.
fn before(now: Moment, time: ServerTime) -> Option<Mono> {
    let ago = now.server.as_second().saturating_sub(time.as_second());
    let ago = std::time::Duration::from_secs(u64::try_from(ago).unwrap_or(0));
    now.mono.0.checked_sub(ago).map(Mono)
}

// === Rolls ===

fn restored_roll(roll: &RollRecord, now: Moment) -> Roll {
    let completed = roll.completed.as_ref().map(|time| Moment {
        mono: before(now, time.0).unwrap_or_default(),
        server: time.0,
    });
    Roll {
        revision: roll.revision.as_str().into(),
        time: roll.time.0,
        rv: roll.resource_version.as_deref().and_then(Rv::parse),
        causes: roll.causes.clone(),
        health: Health {
            state: roll.state,
            unready: roll.unready,
            completed,
            trouble: roll.trouble.as_ref().map(|trouble| Trouble {
                pod: trouble.pod.as_deref().map(Arc::from),
                reason: trouble.reason.as_str().into(),
                since: trouble.since.0,
            }),
        },
    }
}

// === References ===

fn restored_track(
    stored: &ReferenceRecord,
    last: Option<&LastInSync>,
    key: KeyId,
) -> Option<(TrackKey, Track)> {
    let fingerprint = stored.fingerprint.parse().ok()?;
    let mut foreign = false;
    let entries: Vec<Entry> = stored
        .timeline
        .iter()
        .map(|entry| restored_entry(entry, key, &mut foreign))
        .collect();
    let seen_until = match last {
        Some(last) => last.time.0,
        None => second_before(entries.last()?.since.time),
    };
    let mut timeline = Timeline::restore(entries, stored.open)?;
    if let Some(last) = last
        && let Some(digest) = last.digests.get(&stored.fingerprint)
    {
        timeline.mark_synced_with(
            comparable(digest, key).unwrap_or_else(|own| own),
            last.time.0,
        );
    }
    let track = Track {
        fingerprint,
        timeline: Some(timeline),
        read: Some(Version {
            uid: stored.source_uid.as_deref().map(Arc::from),
            rv: stored
                .source_resource_version
                .as_deref()
                .and_then(Rv::parse),
        }),
        keys: stored_keys(stored),
        keys_left_out: stored.keys_left_out,
        missing: None,
        seen_until,
        node_copy: stored.immutable.as_ref().and_then(|kept| {
            Some(NodeCopy {
                uid: kept.uid.as_str().into(),
                digest: comparable(&kept.digest, key).ok()?,
            })
        }),
        open: true,
        origin: if foreign {
            Origin::Foreign
        } else {
            Origin::Stored
        },
    };
    let key = TrackKey {
        source: (stored.kind, stored.name.as_str().into()),
        class: stored.class,
    };
    Some((key, track))
}

fn restored_entry(stored: &TimelineEntry, key: KeyId, foreign: &mut bool) -> Entry {
    let content = match &stored.digest {
        None if stored.unsure => Content::Unsure,
        None => Content::Unread,
        Some(text) => Content::Known(comparable(text, key).unwrap_or_else(|stand_in| {
            *foreign = true;
            stand_in
        })),
    };
    Entry {
        content,
        since: Since {
            rv: stored.since.resource_version.as_deref().and_then(Rv::parse),
            exact: stored.since.exact,
            time: stored
                .since
                .time
                .as_ref()
                .map_or(ServerTime::MIN, |time| time.0),
        },
        missing: stored.missing,
        changed: stored
            .changed
            .iter()
            .map(|key| key.as_str().into())
            .collect(),
        unnamed: stored.unnamed,
        received: Mono::default(),
        synced: None,
        good: stored.good.as_ref().map(|time| time.0),
    }
}

/// A stored digest if it can be compared with ours, else what stands for it.
fn comparable(text: &str, key: KeyId) -> Result<Digest, Digest> {
    match text.parse::<Digest>() {
        Ok(digest) if digest.key_id == key => Ok(digest),
        _ => Err(stand_in(text, key)),
    }
}

/// Stands for a digest that can't be compared with ours: equal only to itself.
fn stand_in(text: &str, key_id: KeyId) -> Digest {
    let hash = Sha256::digest(text.as_bytes());
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash[..16]);
    Digest { key_id, bytes }
}

fn stored_keys(stored: &ReferenceRecord) -> ProjectedKeys {
    let digests = stored.key_digests.iter();
    digests
        .filter_map(|(name, digest)| Some((name.as_str().into(), Some(digest.parse().ok()?))))
        .collect()
}

fn parse_hex(text: &str) -> Option<[u8; 16]> {
    crate::core::content::hex::parse(text).ok()
}
