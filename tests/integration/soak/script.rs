//! What is done: by users, by an administrator, to the operator.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;
use projsync::api::names::REVISION_ANNOTATION;
use serde_json::{Value, json};
use testkit::{
    Object as _, Operator, Result, Workload, WorkloadKind, daemon_set, deployment, object, policy,
    stateful_set,
};
use tokio::time::sleep;

use super::model::{Policy, Second};
use super::observer::{Note, Observer, remembered_until, slow_until};
use super::shapes::{IMAGE, SHAPES, shaped, sources};
use crate::env::{Env, QUICK_LEASE};

const KEYS: [&str; 3] = ["a", "b", "c"];

/// Numbers of which each follows from the one before (SplitMix64).
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number below `limit`.
    pub(super) fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (bits ^ (bits >> 31)) % limit
    }

    fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        from[usize::try_from(self.below(from.len() as u64)).unwrap()].clone()
    }
}

pub(super) struct Script<'a> {
    env: &'a Env,
    observer: &'a Observer,
    pub(super) random: Random,
    /// How many operations there were.
    pub(super) count: usize,
    workloads: Vec<Workload>,
    shapes: Vec<u64>,
    operator: Operator,
    runs: bool,
    stopped: Second,
    /// What the operator found changed beyond comparison when it came back.
    reshaped: BTreeSet<String>,
}

fn now() -> Second {
    Timestamp::now().as_second()
}

/// As the model names it.
fn name(workload: &Workload) -> String {
    format!("{}/{}", workload.kind_name(), workload.name())
}

impl<'a> Script<'a> {
    /// Creates everything, and starts the operator.
    pub(super) async fn begin(
        env: &'a Env,
        observer: &'a Observer,
        random: Random,
    ) -> Result<Self> {
        for source in sources() {
            let source = KEYS
                .iter()
                .fold(source, |source, key| source.data(key, "0"));
            env.create(&source).await?;
        }
        let on_delete = json!({"type": "OnDelete"});
        let workloads = vec![
            deployment("web").replicas(3),
            deployment("shop").replicas(2),
            stateful_set("db").replicas(2),
            stateful_set("held").with("updateStrategy", on_delete),
            daemon_set("log"),
        ];
        let shapes: Vec<u64> = (0..workloads.len() as u64).collect();
        for (workload, shape) in workloads.iter().zip(&shapes) {
            let shaped = shaped(workload.clone(), *shape);
            env.create(&shaped.pod_annotation(IMAGE, "0")).await?;
        }
        for workload in &workloads {
            env.rolled_out(workload).await?;
        }
        let operator = env.replica(&QUICK_LEASE).await?;
        let mut script = Self {
            env,
            observer,
            random,
            count: 0,
            workloads,
            shapes,
            operator,
            runs: false,
            stopped: Second::MIN,
            reshaped: BTreeSet::new(),
        };
        script.env.create(&policy("all")).await?;
        script.policy(false, 3).await?;
        script.start().await?;
        Ok(script)
    }

    fn tell(&self, what: impl Into<String>) {
        self.observer.note(None, Note::Text(what.into()));
    }

    /// Does something.
    pub(super) async fn step(&mut self) -> Result {
        self.count += 1;
        let which = usize::try_from(self.random.below(self.workloads.len() as u64))?;
        let workload = self.workloads[which].clone();
        match self.random.below(32) {
            0..=11 => self.edit_source().await,
            12 => self.burst().await,
            13..=14 => self.delete_source().await,
            15 => self.touch().await,
            16..=17 => self.scale(&workload).await,
            18 => self.pause(&workload).await,
            19..=20 => self.restart(which).await,
            21 => self.reshape(which).await,
            22 => self.undo(&workload).await,
            23 => self.strip(&workload).await,
            24..=26 => self.delete_pod(&workload).await,
            27 => {
                let (suspend, quick) = (self.random.below(3) == 0, self.random.below(2));
                let interval = if quick == 0 { 1 } else { 4 };
                self.policy(suspend, interval).await
            }
            _ => self.turn().await,
        }
    }

    /// Has the operator run.
    pub(super) async fn at_work(&mut self) -> Result {
        match self.runs {
            true => Ok(()),
            false => self.start().await,
        }
    }

    // === Users ===

    async fn edit_source(&mut self) -> Result {
        let source = self.random.pick(&sources());
        let (key, value) = (self.random.pick(&KEYS), self.random.below(3).to_string());
        if !self.env.exists(&source).await? {
            self.env.create(&source.data(key, &value)).await?;
            return Ok(());
        }
        match self.random.below(5) {
            0 => self.env.unset(&source, key).await?,
            _ => self.env.set(&source, key, &value).await?,
        };
        Ok(())
    }

    async fn burst(&mut self) -> Result {
        let source = self.random.pick(&sources());
        let key = self.random.pick(&KEYS);
        if !self.env.exists(&source).await? {
            return Ok(());
        }
        for value in 0..4 {
            self.env.set(&source, key, &value.to_string()).await?;
            sleep(Duration::from_millis(self.random.below(800))).await;
        }
        Ok(())
    }

    async fn delete_source(&mut self) -> Result {
        let source = self.random.pick(&sources());
        if self.env.exists(&source).await? {
            self.env.delete(&source).await?;
        }
        Ok(())
    }

    async fn touch(&mut self) -> Result {
        let source = self.random.pick(&sources());
        if self.env.exists(&source).await? {
            let labels = json!({"touched": self.count.to_string()});
            self.env
                .merge(&source, json!({"metadata": {"labels": labels}}))
                .await?;
        }
        Ok(())
    }

    async fn scale(&mut self, workload: &Workload) -> Result {
        let replicas = u32::try_from(self.random.below(4))?;
        if workload.kind() != WorkloadKind::DaemonSet {
            self.tell(format!("{} is scaled to {replicas}", name(workload)));
            self.env.scale(workload, replicas).await?;
        }
        Ok(())
    }

    async fn pause(&mut self, workload: &Workload) -> Result {
        let paused = self.random.below(2) == 0;
        if workload.kind() == WorkloadKind::Deployment {
            self.tell(format!("{} is paused: {paused}", name(workload)));
            self.env
                .merge(workload, json!({"spec": {"paused": paused}}))
                .await?;
        }
        Ok(())
    }

    /// Brings another template, with the same uses.
    async fn restart(&mut self, which: usize) -> Result {
        let annotations = json!({IMAGE: self.count.to_string()});
        let template = json!({"metadata": {"annotations": annotations}});
        let patch = json!({"spec": {"template": template}});
        self.env.merge(&self.workloads[which], patch).await?;
        Ok(())
    }

    /// Brings a template that projects something else.
    async fn reshape(&mut self, which: usize) -> Result {
        let workload = &self.workloads[which];
        self.shapes[which] = self.random.below(SHAPES);
        let image = self.count.to_string();
        let wanted = shaped(workload.clone(), self.shapes[which]).pod_annotation(IMAGE, &image);
        let mut spec = wanted.manifest()["spec"]["template"]["spec"].take();
        let annotations = wanted.manifest()["spec"]["template"]["metadata"]["annotations"].take();
        // A merge leaves what it doesn't name.
        for container in spec["containers"].as_array_mut().into_iter().flatten() {
            for field in ["env", "envFrom", "volumeMounts"] {
                if container[field].is_null() {
                    container[field] = Value::Null;
                }
            }
        }
        let template = json!({"metadata": {"annotations": annotations}, "spec": spec});
        self.env
            .merge(workload, json!({"spec": {"template": template}}))
            .await?;
        self.reshaped.insert(name(workload));
        Ok(())
    }

    async fn undo(&mut self, workload: &Workload) -> Result {
        self.tell(format!("{} is undone", name(workload)));
        let kind = workload.kind_name();
        let what = format!("{kind}/{}", workload.name());
        // There may be nothing to undo, or it is paused.
        if let Err(error) = self.env.kubectl(&["rollout", "undo", &what]).await {
            self.tell(format!("{what} is not undone: {error:#}"));
        }
        self.reshaped.insert(name(workload));
        Ok(())
    }

    async fn strip(&mut self, workload: &Workload) -> Result {
        let annotations = json!({REVISION_ANNOTATION: null});
        let template = json!({"metadata": {"annotations": annotations}});
        self.env
            .merge(workload, json!({"spec": {"template": template}}))
            .await?;
        Ok(())
    }

    async fn delete_pod(&mut self, workload: &Workload) -> Result {
        let pods = self.env.pods(workload).await?;
        if !pods.is_empty() {
            let pod = self.random.pick(&pods);
            let pod = pod.metadata.name.unwrap_or_default();
            // Its controller may be quicker.
            let _ = self.env.delete(&object("v1", "Pod", &pod)).await;
        }
        Ok(())
    }

    async fn policy(&mut self, suspend: bool, min_interval: Second) -> Result {
        let wanted = policy("all").settle("500ms").suspended(suspend);
        let wanted = wanted.min_interval(&format!("{min_interval}s"));
        let spec = wanted.manifest()["spec"].take();
        let edit = self.env.merge(&wanted, json!({"spec": spec})).await?;
        let policy = Policy {
            observe: false,
            suspend,
            min_interval,
        };
        self.observer.note(Some(edit.version), Note::Policy(policy));
        Ok(())
    }

    // === The operator ===

    /// Ends the operator in one way or another, or starts it.
    async fn turn(&mut self) -> Result {
        if !self.runs {
            return self.start().await;
        }
        self.runs = false;
        self.stopped = now();
        self.reshaped.clear();
        match self.random.below(2) {
            0 => {
                self.tell("the operator is stopped");
                self.operator.stop().await
            }
            _ => {
                self.tell("the operator is killed");
                self.operator.kill()
            }
        }
    }

    async fn start(&mut self) -> Result {
        let mut known = Vec::new();
        for workload in &self.workloads {
            let kind = workload.kind_name().to_lowercase();
            let projection = format!("{kind}-{}", workload.name());
            let projection = object("projsync.dev/v1alpha1", "Projection", &projection);
            let since = match self.env.exists(&projection).await? {
                true => remembered_until(&self.env.get(&projection).await?),
                false => Second::MIN,
            };
            known.push((name(workload), since));
        }
        self.tell("the operator is started");
        let since = self.stopped.min(now());
        self.observer.note(
            None,
            Note::Slow(since.max(now() - 120) - 5, slow_until(now() + 10)),
        );
        self.operator.start().await?;
        self.runs = true;
        let end = now() + 1;
        for (name, since) in known {
            if self.reshaped.contains(&name) {
                self.observer
                    .note(None, Note::Gap(name.clone(), Second::MIN, end));
            }
            self.observer.note(None, Note::Gap(name, since, end));
        }
        Ok(())
    }
}
