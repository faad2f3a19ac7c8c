//! Conditions by the rules of `metav1.Condition`.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

use crate::api::limits::cut;
use crate::api::reasons::Reason;

/// Condition of a policy: it is valid and in force.
pub const ACCEPTED: &str = "Accepted";

/// Condition of a Projection: no Pod has old content.
pub const IN_SYNC: &str = "InSync";

/// Condition of a Projection: it is known which content each Pod started with.
pub const STATE_KNOWN: &str = "StateKnown";

/// Condition of a Projection: all that is remembered of the workload is stored. Only there if not.
pub const STATE_STORED: &str = "StateStored";

/// Content of a condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// One of the types above.
    pub type_: &'static str,
    /// `True`, `False`, or `Unknown` if it is not known.
    pub status: Option<bool>,
    /// Reason, as a constant.
    pub reason: Reason,
    /// Reason, as a sentence that names its subject.
    pub message: String,
    /// `metadata.generation` of the object that the statement is about.
    pub observed_generation: Option<i64>,
}

/// Sets a condition and returns whether that changed anything.
///
/// `lastTransitionTime` becomes `now` only if the status differs.
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
        let long = statement(true, Reason::Accepted, &"a".repeat(2000));
        set(&mut all, long, at(1));
        assert!(all[0].message.ends_with("..."));
    }
}
