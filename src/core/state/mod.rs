//! The operator's state: events in, steps out.
//!
//! The state takes in what happened ([`State::change`], [`State::take_in`],
//! [`State::rolled`], [`State::shown`], [`State::reported`], …) and says what to do: read a
//! source ([`State::look_at`]), act on a workload ([`State::plan`]), write a Projection
//! ([`State::report`]) or the status of policies ([`State::policy_statuses`]). Time is an
//! argument. Everything in here is synchronous; nothing awaits under its lock.

mod changes;
mod gaps;
mod managed;
mod plans;
mod policies;
mod policy_status;
mod projections;
mod sources;
mod step;
mod summary;
mod unlisted;

pub use changes::{Settings, State};
pub use managed::{REPORT_INTERVAL, RETIRE_AFTER, ROLLOUT_INTERVAL};
pub use policies::POLICIES_INTERVAL;
pub use policy_status::PolicyMeta;
pub use projections::Pace;
pub use sources::Read;
pub use step::{
    Order, Planned, PolicyStep, ProjectionStep, ProjectionWrite, SourceStep, WorkloadStep,
};

#[cfg(test)]
mod tests;
