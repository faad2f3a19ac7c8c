//! Workloads of users, to which nothing may happen but what they asked for.

use anyhow::Result;
use e2e::{Namespace, Source, Workload, pod};
use serde_json::json;

/// A few Deployments, each with a variable from a ConfigMap of its own.
pub(crate) struct Users {
    pub(crate) namespace: Namespace,
    pub(crate) deployments: Vec<(Source, Workload)>,
    /// How often the content of each has changed.
    changes: usize,
}

impl Users {
    /// Creates so many, one Pod each, and waits until the Pods are ready.
    pub(crate) fn create(case: &str, count: usize) -> Result<Self> {
        let namespace = Namespace::create(case)?;
        let mut deployments = Vec::new();
        for number in 0..count {
            let source = namespace.config_map(&format!("app-{number}"), &json!({"key": "0"}))?;
            let spec = pod(&json!({"env": [source.env("KEY", "key")]}));
            let workload = namespace.deployment(&format!("web-{number}"), 1, &spec)?;
            deployments.push((source, workload));
        }
        for (_, workload) in &deployments {
            workload.rolled_out()?;
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
    pub(crate) fn policy(&self) -> Result<()> {
        self.namespace
            .policy(&json!({"settle": "500ms", "minInterval": "0s"}))
    }

    /// Puts all of them under a policy, and waits until they are known.
    pub(crate) fn managed(&self) -> Result<()> {
        self.policy()?;
        self.in_sync()
    }

    /// Waits until the Projections call them in sync.
    pub(crate) fn in_sync(&self) -> Result<()> {
        self.deployments
            .iter()
            .try_for_each(|(_, workload)| workload.in_sync())
    }

    /// Changes the content of all.
    pub(crate) fn change(&mut self) -> Result<()> {
        self.changes += 1;
        let value = self.changes.to_string();
        self.deployments
            .iter()
            .try_for_each(|(source, _)| source.set("key", &value))
    }

    /// Asserts that each process has the newest content, and that each workload has been rolled
    /// as often as its content changed.
    pub(crate) fn assert_rolled(&self) -> Result<()> {
        for (_, workload) in &self.deployments {
            workload.rolled(self.changes + 1)?;
            let report = &workload.reports()?[0];
            assert_eq!(report.env["KEY"], self.changes.to_string());
        }
        Ok(())
    }

    /// Asserts that no workload has been rolled again, and no Pod replaced since `pods`.
    pub(crate) fn assert_untouched(&self, pods: &[String]) -> Result<()> {
        assert_eq!(self.pods()?, pods);
        for (_, workload) in &self.deployments {
            assert_eq!(
                workload.templates()?,
                self.changes + 1,
                "{}",
                workload.key()
            );
        }
        Ok(())
    }

    /// The names of all their Pods.
    pub(crate) fn pods(&self) -> Result<Vec<String>> {
        let mut names = Vec::new();
        for (_, workload) in &self.deployments {
            names.extend(workload.pod_names()?);
        }
        Ok(names)
    }
}
