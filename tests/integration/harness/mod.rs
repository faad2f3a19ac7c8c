//! What the tests are made of.
//!
//! ```ignore
//! #[tokio::test]
//! async fn a_changed_key_rolls() -> Result {
//!     let env = Env::new().await?;                      // namespaces, service account, RBAC
//!     let app = config_map("app").data("a", "1").data("b", "1");
//!     let web = deployment("web").uses(app.volume().items(&["a"]));
//!     env.create_all(&[&policy("fast").fast(), &app, &web]).await?;
//!     env.rolled_out(&web).await?;
//!     let operator = env.operator(&[]).await?;          // the real binary, ready
//!     operator.decided(&web, "InSync").await?;
//!
//!     let edit = env.set(&app, "b", "2").await?;        // an edit, with its resourceVersion
//!     operator.caught_up(&[&edit]).await?;              // it was seen, read, and all work is done,
//!     env.assert_only(&[]).await?;                      // so that "nothing happened" means something
//!
//!     env.set(&app, "a", "2").await?;
//!     env.rolls(&web, 1).await?;                        // waits for it
//!     operator.decided(&web, "InSync").await?;
//!     env.assert_only(&[(&web, 1)]).await               // one roll, and nothing else was written
//! }
//! ```
//!
//! * [`Cluster`]: a control plane; most tests share one. [`Env::own`] brings one
//!   of its own, for cluster-wide policies, or to stop parts of it.
//! * [`Env`]: namespaces of the test's own, and the operator's service account,
//!   confined to them by the rules of `config/rbac`: a missing verb fails the test.
//!   It derefs to the [`Space`] of its first namespace, where an administrator
//!   creates, edits and looks.
//! * [`Operator`]: a process of the real binary; its log is printed where the
//!   test fails.
//! * [`Proxy`]: between an operator and the API server, to see and to falsify.
//! * `objects`, `workload`: builders, one value both to create and to refer to.
//! * `audit`: every request of the operator, from the API server's audit log:
//!   what was written is counted there and nowhere else.
//!
//! A test never sleeps in place of a condition: [`eventually`] polls one with a
//! deadline. Tests run in parallel and share nodes: make no Nodes on the shared
//! control plane, and no cluster-wide policy without `namespaces`.
//! `KEEP_LOGS=<folder>` keeps the operators' logs there; `OPERATOR_LOG_LEVEL` sets
//! their level (info).

#![allow(dead_code, reason = "not every topic needs everything")]

mod audit;
mod cluster;
mod env;
mod objects;
mod operator;
mod proxy;
mod space;
mod wait;
mod workload;

#[allow(unused_imports, reason = "not every topic needs everything")]
pub(crate) use self::{
    audit::Request,
    cluster::{Cluster, manifests},
    env::Env,
    objects::{Object, Policy, Source, cluster_policy, config_map, object, policy, secret},
    operator::{Index, Operator, QUICK_LEASE},
    proxy::{Act, Authority, Falsify, Line, Passed, Proxy, status},
    space::{Edit, Space, owned_by},
    wait::{DEADLINE, eventually, until},
    workload::{Use, Workload, daemon_set, deployment, projected, stateful_set},
};

/// What a test returns.
pub(crate) type Result<T = ()> = anyhow::Result<T>;
