//! Limits: of what a Projection holds, for its schema and for the code, and of a workload.

/// Maximum number of ways in which the Pod template of a workload may see ConfigMaps and Secrets.
pub const MAX_USES: usize = 2_000;

/// Maximum number of SyncPolicies of a namespace that select workloads.
pub const MAX_POLICIES: usize = 100;

/// Maximum number of keys of a reference that are listed and whose digests are kept.
pub const MAX_KEYS: usize = 64;

/// Maximum number of contents in a timeline.
pub const MAX_TIMELINE: usize = 8;

/// Maximum number of changed keys that an entry of a timeline names.
pub const MAX_CHANGED: usize = 10;

/// Maximum number of Pods that are listed as not Fresh.
pub const MAX_NOT_FRESH: usize = 10;

/// Maximum number of rolls that are kept.
pub const MAX_ROLLS: usize = 5;

/// Maximum number of sources that are listed as the causes of a roll.
pub const MAX_CAUSES: usize = 10;

/// Maximum length of a sentence, in bytes.
pub const MAX_MESSAGE: usize = 1024;

/// Cuts a sentence to its maximum length.
#[must_use]
pub fn cut(mut message: String) -> String {
    if message.len() > MAX_MESSAGE {
        message.truncate(message.floor_char_boundary(MAX_MESSAGE - 3));
        message.push_str("...");
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_is_cut_between_characters() {
        assert_eq!(cut("a".repeat(MAX_MESSAGE)), "a".repeat(MAX_MESSAGE));
        let long = cut("\u{e4}".repeat(1000));
        assert!(long.len() <= MAX_MESSAGE && long.ends_with("\u{e4}..."));
    }
}
