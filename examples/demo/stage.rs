//! The scene: a cluster with the shop, the operator, and steps that change things.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context as _, Result, bail, ensure};
use controlplane::ControlPlane;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config};
use projsync::api::projection::ProjectionStatus;

use crate::edit::{Edit, Editor, NAMESPACE};
use crate::operator::{self, Operator};
use crate::shop::{self, ByName, Workload};
use crate::terminal::{Colour, Terminal};
use crate::wait::{Probe, until};

/// The reasons of decisions with which a workload is at rest.
const AT_REST: [&str; 4] = ["InSync", "ObserveOnly", "SourceMissing", "KeyMissing"];

/// The cluster, the operator, and what has happened so far.
pub(crate) struct Stage<'a> {
    /// Where to print.
    pub(crate) terminal: &'a Terminal,
    /// Makes changes.
    pub(crate) editor: Editor,
    /// The operator.
    pub(crate) operator: Operator,
    plane: &'a ControlPlane,
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
    pub(crate) async fn new(terminal: &'a Terminal, plane: &'a ControlPlane) -> Result<Self> {
        let kubeconfig = Kubeconfig::read_from(plane.kubeconfig())?;
        let options = KubeConfigOptions::default();
        let config = Config::from_custom_kubeconfig(kubeconfig, &options).await?;
        let client = Client::try_from(config)?;
        terminal.heading("Projsync's resources and rights, and a shop");
        let kubectl = |arguments: &[&str]| {
            terminal.command(&format!("kubectl {}", arguments.join(" ")));
            run_kubectl(plane, arguments)
        };
        kubectl(&["apply", "-k", "config/crd"])?;
        kubectl(&["wait", "--for=condition=Established", "crd", "--all"])?;
        kubectl(&["create", "namespace", "projsync-system"])?;
        kubectl(&["apply", "-k", "config/rbac"])?;
        kubectl(&["apply", "-k", "config/admission"])?;
        kubectl(&["apply", "-f", "examples/shop/10-sources.yaml"])?;
        // Times of objects are whole seconds: only Pods of a later one are surely younger
        // than what they project to an operator that comes later.
        until("the next second", async || {
            let secrets: Api<Secret> = Api::namespaced(client.clone(), NAMESPACE);
            let list = secrets.list(&Default::default()).await?;
            let newest = list
                .iter()
                .filter_map(|one| one.metadata.creation_timestamp.as_ref());
            let newest = newest
                .map(|time| time.0.as_second())
                .max()
                .context("no Secrets")?;
            let passed = Timestamp::now().as_second() > newest;
            Ok(Probe::of(passed.then_some(()), "it is the same"))
        })
        .await?;
        kubectl(&["apply", "-f", "examples/shop"])?;
        let token = run_kubectl(
            plane,
            &["create", "token", "projsync", "-n", "projsync-system"],
        )?;
        let stage = Self {
            terminal,
            editor: Editor { client },
            operator: Operator::new(plane, token.trim())?,
            plane,
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

    /// Begins a step: its title, and what is going to change.
    pub(crate) async fn begin(&mut self, title: &str, lines: &[&str]) -> Result<Before> {
        self.steps += 1;
        self.told.clear();
        self.terminal.heading(&format!("{}. {title}", self.steps));
        for line in lines {
            self.terminal.say(line);
        }
        Ok(Before {
            workloads: shop::workloads(&self.editor.client).await?,
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
        edits: &[Edit],
        rolled: &[&str],
        most: i64,
    ) -> Result<()> {
        self.at_rest(edits).await?;
        let after = self.rolled_out().await?;
        self.at_rest(edits).await?;
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
                let why = shop::why_not(&projection, edits);
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
    pub(crate) async fn at_rest(&self, edits: &[Edit]) -> Result<()> {
        until("the operator to come to rest", async || {
            // In this order: what follows from what the index has seen is queued by then.
            let index = self.operator.index().await?;
            for edit in edits {
                let source = &index["sources"][format!("{} {NAMESPACE}/{}", edit.kind, edit.name)];
                let seen = source["resourceVersion"].as_u64();
                let read = source.is_null() || source["read"] == true || source["workloads"] == 0;
                if !read || seen.is_some() != edit.version.is_some() || seen < edit.version {
                    return Ok(Probe::NotYet(format!("{edit:?} is not seen: {source}")));
                }
            }
            let queues = self.operator.queues().await?;
            if queues["sources"]["idle"] != true || queues["workloads"]["idle"] != true {
                return Ok(Probe::NotYet(format!("it works: {queues}")));
            }
            let index = self.operator.index().await?;
            for (name, workload) in index["workloads"].as_object().into_iter().flatten() {
                let reason = workload["reason"].as_str().unwrap_or_default();
                if !AT_REST.contains(&reason) {
                    return Ok(Probe::NotYet(format!("{name} is {workload}")));
                }
            }
            Ok(Probe::Done(()))
        })
        .await
    }

    /// Waits until every workload has been rolled out.
    pub(crate) async fn rolled_out(&self) -> Result<ByName<Workload>> {
        until("all rollouts to complete", async || {
            let all = shop::workloads(&self.editor.client).await?;
            let waiting: Vec<&String> = all
                .iter()
                .filter(|(_, one)| !one.rolled_out)
                .map(|(name, _)| name)
                .collect();
            let problem = format!("{waiting:?}");
            Ok(Probe::of(waiting.is_empty().then_some(all), &problem))
        })
        .await
    }

    /// Waits until a workload's Projection is as it should be: `what`.
    pub(crate) async fn projection(
        &self,
        workload: &str,
        what: &str,
        wanted: impl Fn(&ProjectionStatus) -> bool,
    ) -> Result<projsync::api::Projection> {
        until(
            &format!("the Projection of {workload} to {what}"),
            async || {
                let projection = shop::projections(&self.editor.client)
                    .await?
                    .remove(workload);
                let status = projection.as_ref().and_then(|one| one.status.as_ref());
                let problem = status.map_or("there is none".to_owned(), |status| {
                    format!("{:?}, {:?}", status.pods, status.decision)
                });
                let found = status.is_some_and(&wanted);
                Ok(Probe::of(projection.filter(|_| found), &problem))
            },
        )
        .await
    }

    /// Waits for a note of Projsync on a workload.
    pub(crate) async fn note(&self, workload: &str, since: Timestamp) -> Result<String> {
        until(&format!("an Event on {workload}"), async || {
            let note = shop::event(&self.editor.client, workload, since).await?;
            Ok(Probe::of(note, "there is none"))
        })
        .await
    }

    /// Shows what `projsync` prints, run as a user would.
    pub(crate) fn projsync(&self, arguments: &[&str]) -> Result<()> {
        self.terminal
            .command(&format!("projsync {}", arguments.join(" ")));
        let output = Command::new(operator::binary()?)
            .args(arguments)
            .env("KUBECONFIG", self.plane.kubeconfig())
            .output()?;
        if !output.status.success() {
            let problem = String::from_utf8_lossy(&output.stderr);
            bail!("projsync {}: {}", arguments.join(" "), problem.trim());
        }
        for line in String::from_utf8_lossy(&output.stdout).lines() {
            self.terminal.say(line);
        }
        Ok(())
    }

    /// Shows where everything stands at the end.
    pub(crate) fn summary(&self, began: Instant) -> Result<()> {
        self.terminal.heading("In the end");
        self.projsync(&["status", "-n", NAMESPACE])?;
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
    pub(crate) fn explore(&self) {
        let kubectl = self.plane.kubectl();
        let projsync = operator::binary().unwrap_or_default();
        self.terminal
            .heading("All this stays until you press Ctrl-C");
        for line in [
            format!("export KUBECONFIG={}", self.plane.kubeconfig().display()),
            format!("alias kubectl={}", kubectl.display()),
            format!("alias projsync={}", projsync.display()),
            format!("projsync status -n {NAMESPACE} --watch"),
            format!("projsync explain -n {NAMESPACE} deployment/checkout"),
            format!("kubectl edit -n {NAMESPACE} configmap shop"),
            format!("tail -f {}", self.operator.log.display()),
        ] {
            self.terminal.command(&line);
        }
    }
}

/// Runs kubectl from the repository's root and returns what it prints.
fn run_kubectl(plane: &ControlPlane, arguments: &[&str]) -> Result<String> {
    let output = Command::new(plane.kubectl())
        .args(arguments)
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")))
        .env("KUBECONFIG", plane.kubeconfig())
        .env("KUBECACHEDIR", plane.data().join("kubectl"))
        .output()?;
    if !output.status.success() {
        let problem = String::from_utf8_lossy(&output.stderr);
        bail!("kubectl {}: {}", arguments.join(" "), problem.trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// A workload without its kind.
fn short(workload: &str) -> &str {
    workload.split('/').next_back().unwrap_or(workload)
}
