//! Policies: which workloads are managed, and how.

mod changes;
mod refused;
mod selection;

use projsync::api::policy::PolicyStatus;
use serde_json::{Value, json};
use testkit::{Object as _, Operator, Policy, Result, Space, until};

use crate::env::{Env, Told as _};

/// Of the one condition of a policy, which is of the same generation.
fn reason(status: &PolicyStatus) -> String {
    let [condition] = &status.conditions[..] else {
        return format!("{:?}", status.conditions);
    };
    let accepted = condition.status == "True";
    let consistent = condition.type_ == "Accepted"
        && accepted == (condition.reason == "Accepted")
        && condition.observed_generation == status.observed_generation;
    match consistent {
        true => condition.reason.clone(),
        false => format!("{condition:?}"),
    }
}

/// Waits until the status of a policy says this of its newest version.
async fn says<T: std::fmt::Debug + PartialEq>(
    env: &Space,
    policy: &Policy,
    look: impl Fn(&PolicyStatus) -> T,
    want: T,
) -> Result {
    let what = format!("the status of {}", policy.name());
    until(what, want, async || {
        Ok(look(&env.policy_status(policy).await?))
    })
    .await
}

/// Changes a policy, and waits until that has been taken in.
pub(crate) async fn change(env: &Env, operator: &Operator, policy: &Policy, spec: Value) -> Result {
    env.merge(policy, json!({"spec": spec})).await?;
    env.policy_status(policy).await?;
    operator.acted(&[]).await
}
