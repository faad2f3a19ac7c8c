//! What the tests on a real cluster are made of: the cluster of `$KUBECONFIG`, where `make e2e`
//! installed Projsync, with real kubelets and real containers.
//!
//! ```ignore
//! #[test]
//! fn a_changed_variable_rolls() -> Result<()> {
//!     let namespace = Namespace::create("variable")?;
//!     namespace.policy(json!({"settle": "1s"}))?;
//!     let app = namespace.config_map("app", json!({"key": "old"}))?;
//!     let web = namespace.deployment("web", 2, pod(json!({"env": [app.env("KEY", "key")]})))?;
//!     web.in_sync()?;                           // all Pods ready, and Fresh by the Projection
//!
//!     app.set("key", "new")?;
//!     web.rolled(1)?;                           // again, of another template
//!     for report in web.reports()? {            // what the processes see
//!         assert_eq!(report.env["KEY"], "new");
//!     }
//!     namespace.done()
//! }
//! ```
//!
//! The containers run a program of ours, `e2e/workload`. Tests of `tests/parallel` share the
//! operator and run at the same time; those of `tests/serial` break or replace it, one by one.

mod account;
mod cluster;
mod namespace;
mod node;
mod operator;
mod pod;
mod source;
mod tools;
mod wait;
mod workload;

pub use account::account;
pub use cluster::{Cluster, path};
pub use namespace::Namespace;
pub use node::Node;
pub use operator::Operator;
pub use pod::{Report, pod, workload_image};
pub use source::Source;
pub use tools::{kubectl, make, output, projsync};
pub use wait::{eventually, until};
pub use workload::Workload;

/// What a test returns.
pub type Result<T = ()> = anyhow::Result<T>;
