//! Conditions by the rules of `metav1.Condition`.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

use crate::api::reasons::Reason;

/// Of a policy: whether it is valid and in force.
pub const ACCEPTED: &str = "Accepted";

/// Of a Projection: whether no Pod has old content.
pub const IN_SYNC: &str = "InSync";

/// Of a Projection: whether what each Pod started with is known.
pub const STATE_KNOWN: &str = "StateKnown";

/// The most bytes that a condition's message may have.
pub const MAX_MESSAGE: usize = 1024;

/// What to say in a condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// One of the types above.
    pub type_: &'static str,
    /// `True`, `False`, or `Unknown` where it can't be told.
    pub status: Option<bool>,
    /// Why.
    pub reason: Reason,
    /// The same in a sentence that names what it is about.
    pub message: String,
    /// `metadata.generation` of the object that the statement is about.
    pub observed_generation: Option<i64>,
}

/// Sets a condition and tells whether that changed anything.
///
/// `lastTransitionTime` moves to `now` only where the status is another.
pub fn set(conditions: &mut Vec<Condition>, statement: Statement, now: Timestamp) -> bool {
    let mut new = Condition {
        type_: statement.type_.to_owned(),
        status: match statement.status {
            Some(true) => "True",
            Some(false) => "False",
            None => "Unknown",
        }
        .to_owned(),
        reason: statement.reason.as_str().to_owned(),
        message: cut(statement.message),
        observed_generation: statement.observed_generation,
        last_transition_time: Time(now),
    };
    let Some(old) = conditions.iter_mut().find(|c| c.type_ == new.type_) else {
        conditions.push(new);
        return true;
    };
    if old.status == new.status {
        new.last_transition_time = old.last_transition_time.clone();
    }
    let changed = *old != new;
    *old = new;
    changed
}

/// Cuts a message to what the schema allows.
fn cut(mut message: String) -> String {
    if message.len() > MAX_MESSAGE {
        message.truncate(message.floor_char_boundary(MAX_MESSAGE - 3));
        message.push_str("...");
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    fn statement(status: bool, reason: Reason, message: &str) -> Statement {
        Statement {
            type_: ACCEPTED,
            status: Some(status),
            reason,
            message: message.to_owned(),
            observed_generation: Some(1),
        }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn the_transition_time_moves_with_the_status_only() {
        let mut all = Vec::new();
        assert!(set(
            &mut all,
            statement(true, Reason::Accepted, "fine"),
            at(1)
        ));
        assert!(!set(
            &mut all,
            statement(true, Reason::Accepted, "fine"),
            at(2)
        ));
        assert!(set(
            &mut all,
            statement(true, Reason::Accepted, "very fine"),
            at(3)
        ));
        assert_eq!(all[0].last_transition_time, Time(at(1)));
        assert_eq!(all[0].message, "very fine");
        assert!(set(
            &mut all,
            statement(false, Reason::InvalidSelector, "bad"),
            at(4)
        ));
        assert_eq!(all[0].last_transition_time, Time(at(4)));
        assert_eq!(all.len(), 1);
    }

    #[test]
    fn a_long_message_is_cut() {
        let mut all = Vec::new();
        set(
            &mut all,
            statement(true, Reason::Accepted, &"\u{e4}".repeat(1000)),
            at(1),
        );
        assert!(all[0].message.len() <= MAX_MESSAGE);
        assert!(all[0].message.ends_with("..."));
    }
}
