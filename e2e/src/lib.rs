//! What the tests on a real cluster are made of: the cluster of `$KUBECONFIG`, where `make e2e`
//! installed Projsync, with real kubelets and real containers.
//!
//! ```ignore
//! #[tokio::test]
//! async fn a_changed_variable_rolls() -> Result {
//!     let namespace = Namespace::create("variable").await?;
//!     namespace.policy(json!({"settle": "1s"})).await?;
//!     let app = namespace.config_map("app", json!({"key": "old"})).await?;
//!     let web = namespace.deployment("web", 2, pod(json!({"env": [env(&app, "KEY", "key")]}))).await?;
//!     web.in_sync().await?;                     // all Pods ready, and Fresh by the Projection
//!
//!     namespace.set(&app, "key", "new").await?;
//!     web.rolled(2).await?;                     // again, of another template
//!     for report in web.reports().await? {      // what the processes see
//!         assert_eq!(report.env["KEY"], "new");
//!     }
//!     namespace.done().await
//! }
//! ```
//!
//! The containers run a program of ours, `e2e/workload`. Tests of `tests/parallel` share the
//! operator and run at the same time; those of `tests/serial` break or replace it, one by one.

mod namespace;
mod node;
mod operator;
mod pod;
mod tools;
mod workload;

pub use namespace::Namespace;
pub use node::Node;
pub use operator::Operator;
pub use pod::{Report, env, env_from, pod, volume, workload_image};
pub use testkit::{Result, eventually, object};
pub use tools::{helm, kubectl, make, projsync};
pub use workload::Workload;
