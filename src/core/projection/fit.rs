//! Keeps a Projection below what the API server stores.

use std::io;

use crate::api::projection::ProjectionStatus;

/// The most bytes of a status: etcd takes 1.5 MiB for an object with its metadata.
const MAX_BYTES: usize = 1 << 20;

/// Something that is left out, in words, and how.
type Step = (&'static str, fn(&mut ProjectionStatus));

/// What is left out, one after the other, until the rest fits; each costs less than the next.
const STEPS: [Step; 4] = [
    ("which keys each reference has", leave_out_keys),
    ("all but the last contents", |status| shorten(status, 2)),
    ("the exact starts of Pods", |status| status.starts.clear()),
    ("the last references by name", leave_out_references),
];

/// Leaves out of a status what is too much to be stored. Returns that, in words.
pub(super) fn fit(status: &mut ProjectionStatus) -> Option<String> {
    let mut left_out = Vec::new();
    for (what, leave_out) in STEPS {
        if size(status) <= MAX_BYTES {
            break;
        }
        leave_out(status);
        left_out.push(what);
    }
    (!left_out.is_empty()).then(|| left_out.join(", "))
}

/// Without them a change after a restart is found, and its keys can't be named.
fn leave_out_keys(status: &mut ProjectionStatus) {
    for reference in &mut status.references {
        reference.keys.clear();
        reference.key_digests.clear();
        reference.keys_left_out = true;
        let changes = reference.timeline.iter_mut();
        for entry in changes.filter(|entry| !entry.changed.is_empty()) {
            entry.changed.clear();
            entry.unnamed = true;
        }
    }
}

/// Pods that started before the contents that are kept are outdated.
fn shorten(status: &mut ProjectionStatus, keep: usize) {
    for reference in &mut status.references {
        let surplus = reference.timeline.len().saturating_sub(keep);
        if surplus > 0 {
            reference.timeline.drain(..surplus);
            reference.open = false;
        }
    }
}

/// After a restart they are new.
fn leave_out_references(status: &mut ProjectionStatus) {
    let mut left = MAX_BYTES.saturating_sub({
        let references = std::mem::take(&mut status.references);
        let rest = size(status);
        status.references = references;
        rest
    });
    let fits = |reference: &_| {
        // With the comma.
        let takes = size(reference) + 1;
        left = left.saturating_sub(takes);
        left > 0
    };
    let count = status.references.iter().take_while(fits).count();
    status.references.truncate(count);
}

/// The bytes of something as JSON.
fn size(of: &impl serde::Serialize) -> usize {
    /// Counts what is written.
    struct Count(usize);

    impl io::Write for Count {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    let mut count = Count(0);
    // Plain data: that it can't be written as JSON can't happen.
    let _ = serde_json::to_writer(&mut count, of);
    count.0
}

#[cfg(test)]
mod tests;
