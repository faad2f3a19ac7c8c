//! Workloads of users, to which nothing may happen but what they asked for.

use e2e::{Namespace, Result, Workload, env, pod};
use serde_json::json;
use testkit::Source;

/// A few Deployments, each with a variable from a ConfigMap of its own.
pub(crate) struct Users {
    pub(crate) namespace: Namespace,
    pub(crate) deployments: Vec<(Source, Workload)>,
    /// How often the content of each has changed.
    changes: usize,
}

impl Users {
    /// Creates so many, one Pod each, and waits until the Pods are ready.
    pub(crate) async fn create(case: &str, count: usize) -> Result<Self> {
        let namespace = Namespace::create(case).await?;
        let mut deployments = Vec::new();
        for number in 0..count {
            let source = namespace
                .config_map(&format!("app-{number}"), json!({"key": "0"}))
                .await?;
            let spec = pod(json!({"env": [env(&source, "KEY", "key")]}));
            let workload = namespace
                .deployment(&format!("web-{number}"), 1, &spec)
                .await?;
            deployments.push((source, workload));
        }
        for (_, workload) in &deployments {
            workload.rolled_out().await?;
        }
        Ok(Self {
            namespace,
            deployments,
            changes: 0,
        })
    }

    /// How often the content of each has changed.
    pub(crate) const fn changes(&self) -> usize {
        self.changes
    }

    /// Puts all of them under a policy.
    pub(crate) async fn policy(&self) -> Result {
        let spec = json!({"settle": "500ms", "minInterval": "0s"});
        self.namespace.policy(spec).await.map(drop)
    }

    /// Puts all of them under a policy, and waits until they are known.
    pub(crate) async fn managed(&self) -> Result {
        self.policy().await?;
        self.in_sync().await
    }

    /// Waits until the Projections call them in sync.
    pub(crate) async fn in_sync(&self) -> Result {
        for (_, workload) in &self.deployments {
            workload.in_sync().await?;
        }
        Ok(())
    }

    /// Changes the content of all.
    pub(crate) async fn change(&mut self) -> Result {
        self.changes += 1;
        let value = self.changes.to_string();
        for (source, _) in &self.deployments {
            self.namespace.set(source, "key", &value).await?;
        }
        Ok(())
    }

    /// Asserts that each process has the newest content, and that each workload has been rolled
    /// as often as its content changed.
    pub(crate) async fn assert_rolled(&self) -> Result {
        for (_, workload) in &self.deployments {
            workload.rolled(self.changes + 1).await?;
            let report = &workload.reports().await?[0];
            assert_eq!(report.env["KEY"], self.changes.to_string());
        }
        Ok(())
    }

    /// Asserts that no workload has been rolled again, and no Pod replaced since `pods`.
    pub(crate) async fn assert_untouched(&self, pods: &[String]) -> Result {
        assert_eq!(self.pods().await?, pods);
        for (_, workload) in &self.deployments {
            assert_eq!(
                workload.templates().await?,
                self.changes + 1,
                "{}",
                workload.key()
            );
        }
        Ok(())
    }

    /// The names of all their Pods.
    pub(crate) async fn pods(&self) -> Result<Vec<String>> {
        let mut names = Vec::new();
        for (_, workload) in &self.deployments {
            names.extend(workload.pod_names().await?);
        }
        Ok(names)
    }
}
