//! Each operation of a history, as it is done.

use std::time::Duration;

use super::history::Op;
use super::model::{Broken, Gap};
use super::objects::{Kind, PolicyObject};
use super::workloads::{Revision, Work, WorkKind};
use super::{KEYS, SOURCES, Simulation};

impl Simulation {
    pub(super) async fn perform(&mut self, op: Op) -> Result<(), Broken> {
        match op {
            Op::Wait { millis } => self.pass(Duration::from_millis(millis.into())).await,
            Op::Rest => self.rest().await?,
            Op::StartReplica { slot } => self.start(slot.into()),
            Op::StopReplica { slot } => self.end(slot.into(), true).await,
            Op::KillReplica { slot } => self.end(slot.into(), false).await,
            Op::Relist { slot, kind } => self.relist(slot.into(), kind),
            Op::Burst {
                source,
                key,
                edits,
                millis,
            } => {
                for edit in 0..edits {
                    let value = edit % 3;
                    self.edit(Op::Set {
                        source,
                        key,
                        value,
                        other_manager: false,
                    });
                    self.pass(Duration::from_millis(millis.into())).await;
                }
            }
            op => self.edit(op),
        }
        Ok(())
    }

    /// Events are missed from now on, until it has listed anew.
    fn relist(&mut self, slot: usize, kind: Kind) {
        let Some(replica) = self.replicas[slot].as_mut().filter(|one| one.is_synced()) else {
            return;
        };
        let mut cluster = self.cluster.lock();
        let start = cluster.slow_since(cluster.second() - 2);
        cluster.slow(1000);
        cluster.list(slot, kind);
        let seconds = start..=cluster.second() + 2;
        let names = cluster.works.keys();
        let gap = Gap {
            seconds,
            source: None,
        };
        replica
            .gaps
            .extend(names.map(|name| (name.clone(), gap.clone())));
        drop(cluster);
        self.tell_gaps(slot);
    }

    /// What takes no time.
    fn edit(&self, op: Op) {
        let mut cluster = self.cluster.lock();
        let source = |at: u8| SOURCES[usize::from(at)];
        let work = |at: u8| format!("w{at}");
        match op {
            Op::Set {
                source: at,
                key,
                value,
                other_manager,
            } => {
                let manager = if other_manager {
                    "controller"
                } else {
                    "kubectl"
                };
                let (key, value) = (KEYS[usize::from(key)], value.to_string());
                cluster.edit_source(source(at), |one, now| one.set(manager, key, &value, now));
            }
            Op::Unset { source: at, key } if cluster.sources.contains_key(source(at)) => {
                cluster.edit_source(source(at), |one, _| one.unset(KEYS[usize::from(key)]));
            }
            Op::Touch { source: at } if cluster.sources.contains_key(source(at)) => {
                cluster.edit_source(source(at), |one, now| one.touch(now));
            }
            Op::Delete { source: at } => cluster.delete_source(source(at)),
            Op::Scale { work: at, replicas } => {
                cluster.edit_work(&work(at), |one| one.replicas = replicas.into());
            }
            Op::Pause { work: at, paused } => {
                let pausable = |one: &mut Work| {
                    one.paused = paused && one.kind == WorkKind::Deployment;
                };
                cluster.edit_work(&work(at), pausable);
            }
            Op::Restart { work: at } => {
                cluster.edit_work(&work(at), |one| one.template.image += 1);
            }
            Op::Reshape { work: at, shape } => {
                cluster.edit_work(&work(at), |one| one.template.shape = shape.into());
            }
            Op::Undo { work: at } => cluster.edit_work(&work(at), |one| {
                let current = one.template.clone();
                let earlier = one
                    .revisions
                    .iter()
                    .filter(|other| other.template != current);
                let earlier: Option<&Revision> = earlier.max_by_key(|other| other.number);
                if let Some(earlier) = earlier {
                    one.template = earlier.template.clone();
                }
            }),
            Op::StripAnnotation { work: at } => {
                cluster.edit_work(&work(at), |one| one.template.revision = None);
            }
            Op::Sync { work: at, sync } => cluster.edit_work(&work(at), |one| one.sync = sync),
            Op::Recreate { work: at, shape } => {
                if let Some(kind) = cluster.works.get(&work(at)).map(|one| one.kind) {
                    cluster.delete_work(&work(at));
                    cluster.create_work(&work(at), kind, shape.into());
                }
            }
            Op::DeletePod { work: at, pod } | Op::Crash { work: at, pod } => {
                let pods = cluster.pods_of(&work(at));
                let Some(pod) = pods.get(usize::from(pod)) else {
                    return;
                };
                let uid = pod.identity.uid.clone();
                match op {
                    Op::Crash { .. } if pod.started.is_none() => {}
                    Op::Crash { .. } => cluster.start_pod(&uid),
                    _ => cluster.terminate_pod(&uid),
                }
            }
            Op::Inject { what } => cluster.webhook = what,
            Op::Policy {
                observe,
                suspend,
                quick,
            } => cluster.put_policy(Some(PolicyObject {
                observe,
                suspend,
                min_interval: if quick { 5 } else { 30 },
            })),
            Op::DeletePolicy => cluster.put_policy(None),
            Op::DeleteProjection { work: at } => {
                let kind = cluster.works.get(&work(at)).map(|one| one.kind.kind());
                let name = kind.map(|kind| format!("{kind:?}-{}", work(at)).to_lowercase());
                if let Some(name) = name {
                    cluster.commit(Kind::Projection, &name, None);
                    cluster.projected.remove(&work(at));
                }
            }
            Op::Fail {
                target,
                fault,
                times,
            } => cluster.faults.add(target, fault, times),
            Op::Stall { slot, kind, millis } => {
                cluster.slow(millis.into());
                cluster.stall(slot.into(), kind, Duration::from_millis(millis.into()));
            }
            _ => {}
        }
    }
}
