//! The scene: a cluster with the shop, the operator, and steps that change things.

use std::collections::BTreeMap;
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use projsync::api::Projection;
use projsync::api::projection::ProjectionStatus;
use testkit::{
    Cluster, DEFINITIONS, Edit, HOME, Operator, RIGHTS, Space, binary, eventually, output,
};
use tokio::process::Command;

use crate::edit::{Change, Editor};
use crate::shop::{self, ByName, NAMESPACE, Workload};
use crate::terminal::{Colour, Terminal};

/// The reasons of decisions with which a workload is at rest.
const AT_REST: [&str; 4] = ["InSync", "ObserveOnly", "SourceMissing", "KeyMissing"];

/// The cluster, the operator, and what has happened so far.
pub(crate) struct Stage<'a> {
    /// Where to print.
    pub(crate) terminal: &'a Terminal,
    /// The shop's namespace.
    pub(crate) space: Space,
    /// The operator.
    pub(crate) operator: Operator,
    cluster: &'a Cluster,
    steps: u32,
    rolls: i64,
    /// What this step has told of already.
    told: Vec<String>,
}

/// What was true when a step began.
pub(crate) struct Before {
    workloads: ByName<Workload>,
    time: Timestamp,
}

impl<'a> Stage<'a> {
    /// Installs what a cluster needs, and the shop. The operator does not run yet.
    pub(crate) async fn new(terminal: &'a Terminal, cluster: &'a Cluster) -> Result<Self> {
        terminal.heading("Projsync's resources and rights, and a shop");
        let kubectl = async |arguments: &[&str]| {
            terminal.command(&format!("kubectl {}", arguments.join(" ")));
            cluster.kubectl().run(arguments).await
        };
        for arguments in DEFINITIONS.into_iter().chain(RIGHTS) {
            kubectl(arguments).await?;
        }
        kubectl(&["apply", "-f", "examples/shop/10-sources.yaml"]).await?;
        let space = cluster.space(NAMESPACE).await?;
        // Times of objects are whole seconds: only Pods of a later one are surely younger
        // than what they project to an operator that comes later.
        eventually("the next second", async || {
            let secrets = space.list::<Secret>().await?;
            let made = secrets
                .iter()
                .filter_map(|one| one.metadata.creation_timestamp.as_ref());
            let newest = made.map(|time| time.0.as_second()).max();
            let passed = Timestamp::now().as_second() > newest.context("no Secrets")?;
            Ok(passed.then_some(()))
        })
        .await?;
        kubectl(&["apply", "-f", "examples/shop"]).await?;
        let operator = Operator::new(
            binary()?,
            cluster.plane().data(),
            "operator",
            &cluster.access(HOME).await?,
            vec![space.clone()],
            &[
                &format!("--operator-namespace={HOME}"),
                "--log-format=text",
                "--log-level=info,projsync=debug",
            ],
        )?;
        let stage = Self {
            terminal,
            space,
            operator,
            cluster,
            steps: 0,
            rolls: 0,
            told: Vec::new(),
        };
        let workloads = stage.rolled_out().await?;
        terminal.say(&format!(
            "{} workloads are up and running.",
            workloads.len()
        ));
        Ok(stage)
    }

    /// Makes changes in the shop.
    pub(crate) fn editor(&self) -> Editor<'_> {
        Editor(&self.space)
    }

    /// Begins a step: its title, and what is going to change.
    pub(crate) async fn begin(&mut self, title: &str, lines: &[&str]) -> Result<Before> {
        self.steps += 1;
        self.told.clear();
        self.terminal.heading(&format!("{}. {title}", self.steps));
        for line in lines {
            self.terminal.say(line);
        }
        Ok(Before {
            workloads: shop::workloads(&self.space).await?,
            time: Timestamp::now(),
        })
    }

    /// Tells of a workload's Pods that have old content, or that it is held.
    pub(crate) fn tell(&mut self, what: &str, workload: &str, why: &str) {
        self.terminal.row(Colour::Yellow, what, workload, why);
        self.told.push(workload.to_owned());
    }

    /// Ends a step: once the operator has dealt with the changes, exactly the workloads
    /// `rolled` must have been rolled, at least once and at most `most` times, and every
    /// Pod that is not reported otherwise must have the current content.
    pub(crate) async fn end(
        &mut self,
        before: Before,
        changes: &[Change],
        rolled: &[&str],
        most: i64,
    ) -> Result<()> {
        self.at_rest(changes).await?;
        let after = self.rolled_out().await?;
        self.at_rest(changes).await?;
        let mut unmoved: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (name, workload) in &after {
            let old = before.workloads.get(name).map_or(0, |old| old.generation);
            let rolls = workload.generation - old;
            let expected = rolled.contains(&name.as_str());
            self.rolls += rolls;
            if workload.opted_out {
                unmoved
                    .entry("has opted out: projsync.dev/sync is \"false\"".to_owned())
                    .or_default()
                    .push(name.clone());
            } else if self.told.contains(name) {
                // Its row says why it was kept.
            } else if rolls == 0 {
                let projection = self.projection(name, "be written", |_| true).await?;
                let why = shop::why_not(&projection, changes);
                unmoved.entry(why).or_default().push(name.clone());
            } else {
                let times = if rolls == 1 {
                    "rolled".to_owned()
                } else {
                    format!("rolled {rolls}x")
                };
                let note = self.note(name, before.time).await?;
                self.terminal.row(Colour::Green, &times, name, &note);
            }
            ensure!(
                expected == (rolls > 0) && rolls <= most,
                "{name} was rolled {rolls} times; expected were {}",
                if expected {
                    format!("1 to {most}")
                } else {
                    "0".to_owned()
                }
            );
        }
        for (why, names) in unmoved {
            let names: Vec<&str> = names.iter().map(|name| short(name)).collect();
            self.terminal
                .row(Colour::Dim, "kept", &names.join(", "), &why);
        }
        for name in rolled {
            self.projection(name, "be in sync", |status| {
                status.pods.fresh == status.pods.total
            })
            .await?;
        }
        Ok(())
    }

    /// Waits until the operator has seen these changes, has nothing to do, and no
    /// workload waits for a time.
    pub(crate) async fn at_rest(&self, changes: &[Change]) -> Result<()> {
        let edits: Vec<&Edit> = changes.iter().map(|change| &change.edit).collect();
        eventually("the operator to come to rest", async || {
            self.operator.seen(&edits).await?;
            for (name, workload) in self.operator.index().await?.workloads {
                let reason = workload.reason.as_deref().unwrap_or_default();
                ensure!(AT_REST.contains(&reason), "{name} is {workload:?}");
            }
            Ok(Some(()))
        })
        .await
    }

    /// Waits until every workload has been rolled out.
    pub(crate) async fn rolled_out(&self) -> Result<ByName<Workload>> {
        eventually("all rollouts to complete", async || {
            let all = shop::workloads(&self.space).await?;
            let mut waiting = all.iter().filter(|(_, one)| !one.rolled_out);
            let next = waiting.next().map(|(name, _)| name);
            ensure!(next.is_none(), "{next:?} is not rolled out");
            Ok(Some(all))
        })
        .await
    }

    /// Waits until a workload's Projection is as it should be: `what`.
    pub(crate) async fn projection(
        &self,
        workload: &str,
        what: &str,
        wanted: impl Fn(&ProjectionStatus) -> bool,
    ) -> Result<Projection> {
        eventually(
            format!("the Projection of {workload} to {what}"),
            async || {
                let found = shop::projections(&self.space).await?.remove(workload);
                let projection = found.context("there is none")?;
                let status = projection.status.as_ref().context("it has no status")?;
                ensure!(wanted(status), "{:?}, {:?}", status.pods, status.decision);
                Ok(Some(projection))
            },
        )
        .await
    }

    /// Waits for a note of Projsync on a workload.
    pub(crate) async fn note(&self, workload: &str, since: Timestamp) -> Result<String> {
        eventually(format!("an Event on {workload}"), async || {
            shop::event(&self.space, workload, since).await
        })
        .await
    }

    /// Shows what `projsync` prints, run as a user would.
    pub(crate) async fn projsync(&self, arguments: &[&str]) -> Result<()> {
        self.terminal
            .command(&format!("projsync {}", arguments.join(" ")));
        let mut command = Command::new(binary()?);
        command.env("KUBECONFIG", self.cluster.plane().kubeconfig());
        for line in output(command.args(arguments), "").await?.lines() {
            self.terminal.say(line);
        }
        Ok(())
    }

    /// Shows where everything stands at the end.
    pub(crate) async fn summary(&self, began: Instant) -> Result<()> {
        self.terminal.heading("In the end");
        self.projsync(&["status", "-n", NAMESPACE]).await?;
        println!();
        self.terminal.say(&format!(
            "{} steps as expected, {} rolls in all, in {:.0} s.",
            self.steps,
            self.rolls,
            began.elapsed().as_secs_f64()
        ));
        Ok(())
    }

    /// Tells how to go on by hand.
    pub(crate) fn explore(&self) -> Result<()> {
        let plane = self.cluster.plane();
        let (kubectl, projsync) = (plane.kubectl(), binary()?);
        self.terminal
            .heading("All this stays until you press Ctrl-C");
        for line in [
            format!("export KUBECONFIG={}", plane.kubeconfig().display()),
            format!("alias kubectl={}", kubectl.display()),
            format!("alias projsync={}", projsync.display()),
            format!("projsync status -n {NAMESPACE} --watch"),
            format!("projsync explain -n {NAMESPACE} deployment/checkout"),
            format!("kubectl edit -n {NAMESPACE} configmap shop"),
            format!("tail -f {}", self.operator.log.display()),
        ] {
            self.terminal.command(&line);
        }
        Ok(())
    }
}

/// A workload without its kind.
fn short(workload: &str) -> &str {
    workload.split('/').next_back().unwrap_or(workload)
}
