//! `status`, `tree` and `explain`: what they print, and the rights that they need.

use std::path::PathBuf;
use std::process::Output;

use anyhow::{Context as _, ensure};
use projsync::api::projection::State;
use serde_json::{Value, json};
use tempfile::TempDir;
use testkit::{Result, Source, Workload, config_map, deployment, eventually, object, policy};

use crate::env::{Env, Told as _};

mod completion;
mod reach;

/// What reading takes: no ConfigMap, no Secret.
const READABLE: [(&str, &[&str]); 4] = [
    ("", &["pods"]),
    (
        "apps",
        &[
            "deployments",
            "statefulsets",
            "daemonsets",
            "replicasets",
            "controllerrevisions",
        ],
    ),
    ("batch", &["cronjobs"]),
    ("projsync.dev", &["projections"]),
];

/// Somebody who may read only that.
struct User {
    folder: TempDir,
    operator: String,
}

impl User {
    async fn new(env: &Env) -> Result<Self> {
        let rules: Vec<Value> = READABLE
            .iter()
            .map(|(group, resources)| {
                json!({"apiGroups": [group], "resources": resources, "verbs": ["get", "list", "watch"]})
            })
            .collect();
        let mut role = object("rbac.authorization.k8s.io/v1", "Role", "reader");
        role["rules"] = json!(rules);
        let mut binding = object("rbac.authorization.k8s.io/v1", "RoleBinding", "reader");
        binding["roleRef"] = json!({
            "apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "reader",
        });
        binding["subjects"] = json!([{
            "kind": "ServiceAccount", "name": "default", "namespace": env.namespace,
        }]);
        env.create_all(&[&role, &binding]).await?;
        // And whether an operator leads.
        let operator = format!("--namespace={}", env.home.namespace);
        let reads = ["--verb=get", "--resource=leases.coordination.k8s.io"];
        env.kubectl(&["create", "role", "reader", reads[0], reads[1], &operator])
            .await?;
        let account = format!("--serviceaccount={}:default", env.namespace);
        let binding = ["create", "rolebinding", "reader", "--role=reader"];
        let group = "--group=developers";
        env.kubectl(&[&binding[..], &[&account, group, &operator]].concat())
            .await?;
        let token = env.kubectl(&["create", "token", "default"]).await?;
        let plane = env.cluster.plane();
        let config = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "test",
            "clusters": [{"name": "test", "cluster":
                {"server": plane.server(), "certificate-authority": plane.ca()}}],
            "users": [{"name": "test", "user": {"token": token.trim()}}],
            "contexts": [{"name": "test", "context":
                {"cluster": "test", "user": "test", "namespace": env.namespace}}],
        });
        let user = Self {
            folder: tempfile::tempdir()?,
            operator: env.home.namespace.clone(),
        };
        std::fs::write(user.kubeconfig(), config.to_string())?;
        Ok(user)
    }

    fn kubeconfig(&self) -> PathBuf {
        self.folder.path().join("kubeconfig")
    }

    async fn run(&self, arguments: &[&str]) -> Result<Output> {
        let mut command = controlplane::guarded(env!("CARGO_BIN_EXE_projsync").as_ref())?;
        command
            .args(arguments)
            .env("PROJSYNC_OPERATOR_NAMESPACE", &self.operator)
            .arg("--kubeconfig")
            .arg(self.kubeconfig());
        Ok(tokio::task::spawn_blocking(move || command.output()).await??)
    }

    /// Runs a command that must end with this code: what it prints.
    async fn prints(&self, code: i32, arguments: &[&str]) -> Result<String> {
        let output = self.run(arguments).await?;
        let out = String::from_utf8(output.stdout)?;
        let notes = String::from_utf8_lossy(&output.stderr);
        let line = arguments.join(" ");
        ensure!(
            output.status.code() == Some(code),
            "{line}: {}, not {code}\n{out}{notes}",
            output.status
        );
        ensure!(
            !notes.contains("you may not read"),
            "{line} wants more rights: {notes}"
        );
        // Nobody is at a terminal here.
        ensure!(!out.contains('\u{1b}'), "{line} prints colours: {out:?}");
        Ok(out)
    }

    async fn json(&self, arguments: &[&str]) -> Result<Value> {
        let mut all = arguments.to_vec();
        all.extend(["-o", "json"]);
        Ok(serde_json::from_str(&self.prints(0, &all).await?)?)
    }
}

/// A Deployment under a policy that only observes, and a Pod of nobody's.
async fn observed(env: &Env) -> Result<(Source, Workload)> {
    let app = config_map("app").data("a", "1").data("b", "1");
    let web = deployment("web").replicas(2).uses(app.env("A", "a"));
    let mut debug = object("v1", "Pod", "debug");
    debug["spec"] = json!({"containers": [{
        "name": "c", "image": "fake", "envFrom": [{"configMapRef": {"name": "app"}}],
    }]});
    env.create_all(&[&policy("look").fast().observe(), &app, &web, &debug])
        .await?;
    env.rolled_out(&web).await?;
    Ok((app, web))
}

#[tokio::test]
async fn a_plain_user_learns_what_is_stale_why_and_what_to_do() -> Result {
    let env = Env::new().await?;
    let (app, web) = observed(&env).await?;
    let operator = env.operator(&[]).await?;
    operator.decided(&web, "InSync").await?;
    env.reported(&web, (2, 0), |status| {
        (status.pods.total, status.pods.stale)
    })
    .await?;
    let user = User::new(&env).await?;
    let settled = user
        .prints(0, &["status", "--wait", "--stable-for", "0s"])
        .await?;
    ensure!(settled.contains("InSync"), "{settled}");
    user.prints(0, &["status", "--exit-code"]).await?;

    env.set(&app, "a", "2").await?;
    env.reported(&web, 2, |status| status.pods.stale).await?;

    let status = user.prints(3, &["status", "--exit-code"]).await?;
    ensure!(status.contains("ObserveOnly"), "{status}");
    let status = user.json(&["status"]).await?;
    ensure!(status["items"][0]["pods"]["stale"] == 2, "{status}");
    let late = user
        .prints(3, &["status", "deploy/web", "--wait", "--timeout", "1s"])
        .await?;
    ensure!(late.contains("Held"), "{late}");

    let tree = user.prints(0, &["tree", "cm/app", "--keys", "a"]).await?;
    let pods = env.pods(&web).await?;
    for pod in &pods {
        let name = pod
            .metadata
            .name
            .as_deref()
            .context("a Pod without a name")?;
        ensure!(tree.contains(&format!("pod/{name}  Stale")), "{tree}");
    }
    ensure!(
        tree.contains("deployment/web  must be rolled by hand"),
        "{tree}"
    );
    ensure!(
        tree.contains("pod/debug  must be deleted and created again"),
        "{tree}"
    );
    let tree = user.prints(0, &["tree", "cm/app", "--keys", "b"]).await?;
    ensure!(!tree.contains("deployment/web"), "{tree}");

    let tree = user.json(&["tree", "deployment/web"]).await?;
    ensure!(tree["sources"][0]["source"]["name"] == "app", "{tree}");
    ensure!(tree["pods"][0]["state"] == "Stale", "{tree}");

    let explained = user.json(&["explain", "deployment/web"]).await?;
    ensure!(
        explained["decision"]["reason"] == "ObserveOnly",
        "{explained}"
    );
    ensure!(explained["policy"]["name"] == "look", "{explained}");
    ensure!(
        explained["projects"][0]["changed"] == json!(["a"]),
        "{explained}"
    );
    Ok(())
}

#[tokio::test]
async fn after_our_roll_the_revision_to_undo_to_is_behind_it() -> Result {
    let env = Env::new().await?;
    let app = config_map("app").data("a", "1");
    let web = deployment("web").uses(app.env("A", "a"));
    env.create_all(&[&policy("fast").fast(), &app, &web])
        .await?;
    env.rolled_out(&web).await?;
    let operator = env.operator(&[]).await?;
    operator.decided(&web, "InSync").await?;
    // A change of the owner's (revision 2), and then one of ours (3).
    env.kubectl(&["set", "env", "deployment/web", "OWNER=2"])
        .await?;
    env.rolled_out(&web).await?;
    env.set(&app, "a", "2").await?;
    env.rolls(&web, 1).await?;
    env.reported(&web, 1, |status| status.rolls.len()).await?;

    let user = User::new(&env).await?;
    user.prints(0, &["status", "deploy/web", "--wait", "--stable-for", "1s"])
        .await?;
    let undo = &user.json(&["explain", "deployment/web"]).await?["undo"];
    ensure!(undo["toRevision"] == 1, "{undo}");
    ensure!(undo["plainUndoIsOurs"] == true, "{undo}");
    let command = undo["command"].as_str().context("no command")?;
    let command: Vec<&str> = command.split(' ').skip(1).collect();
    env.kubectl(&command).await?;
    let template = env.get(&web).await?["spec"]["template"].to_string();
    ensure!(!template.contains("OWNER"), "{template}");
    Ok(())
}

#[tokio::test]
async fn nothing_is_a_success_unless_a_leader_has_seen_the_sources_as_they_are() -> Result {
    let env = Env::new().await?;
    let (app, web) = observed(&env).await?;
    let mut operator = env.operator(&[]).await?;
    operator.decided(&web, "InSync").await?;
    env.reported(&web, (2, 0), |status| {
        (status.pods.total, status.pods.stale)
    })
    .await?;
    let user = User::new(&env).await?;
    let role = object("rbac.authorization.k8s.io/v1", "Role", "reader");
    let mut rules = env.get(&role).await?["rules"].clone();
    let all = rules.as_array_mut().context("no rules")?;
    all.push(json!({"apiGroups": [""], "resources": ["configmaps"], "verbs": ["list"]}));
    env.merge(&role, json!({"rules": rules})).await?;
    let wait = ["status", "--wait", "--stable-for", "0s", "--timeout", "60s"];
    user.prints(0, &wait).await?;
    // Nothing that is projected changes, so it takes a while to be reported.
    env.set(&app, "other", "1").await?;
    user.prints(5, &["status", "--exit-code"]).await?;
    user.prints(0, &wait).await?;

    let selects_nothing = ["status", "--exit-code", "-l", "app=mistyped"];
    user.prints(6, &selects_nothing).await?;

    operator.stop().await?;
    env.set(&app, "a", "2").await?;
    for line in [
        &["status"][..],
        &["status", "--exit-code"],
        &["status", "--wait", "--stable-for", "0s", "--timeout", "3s"],
        &["explain", "deployment/web"],
        &["tree", "cm/app"],
    ] {
        let output = user.run(line).await?;
        let notes = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.code() == Some(5), "{line:?}: {notes}");
        ensure!(
            notes.starts_with("warning: No operator leads")
                || notes.contains("\nwarning: No operator leads"),
            "{line:?}: {notes}"
        );
    }
    Ok(())
}

/// A bad value whose Pods have no readiness probe: the rollout completes, and they crash.
#[tokio::test]
async fn pods_that_do_not_get_ready_after_a_roll_are_told_and_no_success() -> Result {
    let (env, app) = (Env::new().await?, config_map("common").data("WORKERS", "2"));
    let web = deployment("web").replicas(1).ready_after("24h");
    let web = web.uses(app.env("WORKERS", "WORKERS"));
    env.create_all(&[&policy("fast").fast(), &app, &web])
        .await?;
    let recreate = json!({"spec": {"strategy": {"type": "Recreate", "rollingUpdate": null}}});
    env.merge(&web, recreate).await?;
    env.gets_ready(&web).await?;
    env.rolled_out(&web).await?;
    let operator = env.operator(&[]).await?;
    operator.decided(&web, "InSync").await?;
    let user = User::new(&env).await?;
    let wait = ["status", "--wait", "--stable-for", "0s", "--timeout", "30s"];
    user.prints(0, &wait).await?;

    env.set(&app, "WORKERS", "many").await?;
    env.rolls(&web, 1).await?;
    operator.decided(&web, "InSync").await?;
    env.reported(&web, 1, |status| status.pods.not_ready)
        .await?;
    for line in [
        &["status", "--exit-code"][..],
        &["status", "--wait", "--stable-for", "0s", "--timeout", "3s"],
    ] {
        let output = user.run(line).await?;
        let notes = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.code() == Some(3), "{line:?}: {notes}");
        ensure!(
            notes.contains("In sync, but 1 of 1 Pod is not ready since the roll"),
            "{notes}"
        );
        ensure!(notes.contains("(ConfigMap/common: WORKERS)"), "{notes}");
    }
    for line in [
        &["explain", "deployment/web"][..],
        &["tree", "deployment/web"],
        &["tree", "cm/common"],
    ] {
        let said = user.prints(0, line).await?;
        ensure!(
            said.contains("1 of 1 Pod is not ready since the roll"),
            "{line:?}: {said}"
        );
    }

    env.gets_ready(&web).await?;
    user.prints(0, &wait).await?;
    Ok(())
}

/// Most charts let only Pods be annotated. And a value that means nothing gets one answer everywhere.
#[tokio::test]
async fn what_asks_to_be_managed_gets_one_answer() -> Result {
    let (env, app) = (Env::new().await?, config_map("app").data("a", "1"));
    let web = deployment("web").replicas(1).uses(app.env("A", "a"));
    env.create_all(&[&app, &web]).await?;
    env.rolled_out(&web).await?;
    let operator = env.operator(&[]).await?;
    let asks = |value: &str| json!({"metadata": {"annotations": {"projsync.dev/sync": value}}});
    let on_template = env
        .merge(&web, json!({"spec": {"template": asks("true")}}))
        .await?;
    operator.seen(&[&on_template]).await?;
    operator.decided(&web, "InSync").await?;
    let user = User::new(&env).await?;
    let wait = ["status", "--wait", "--stable-for", "0s", "--timeout", "60s"];
    user.prints(0, &wait).await?;

    env.merge(&web, asks("no")).await?;
    operator.decided(&web, "PolicyNotFound").await?;
    env.reported(&web, Some(State::NotManaged), |status| status.summary.state)
        .await?;
    for line in [&["status"][..], &["explain", "deployment/web"]] {
        let said = user.prints(0, line).await?;
        ensure!(said.contains("NotManaged"), "{line:?}: {said}");
        ensure!(said.contains("PolicyNotFound"), "{line:?}: {said}");
    }
    let said = user.prints(0, &["tree", "cm/app"]).await?;
    ensure!(said.contains("NotManaged"), "{said}");
    user.prints(6, &["status", "--exit-code"]).await?;
    Ok(())
}

/// kubectl brings back the annotations that a Deployment had at the earlier revision.
#[tokio::test]
async fn an_undo_that_takes_the_annotation_away_is_told() -> Result {
    let (env, app) = (Env::new().await?, config_map("app").data("a", "1"));
    let web = deployment("web").replicas(1).uses(app.env("A", "a"));
    env.create_all(&[&policy("fast").fast(), &app, &web])
        .await?;
    env.rolled_out(&web).await?;
    let operator = env.operator(&[]).await?;
    operator.decided(&web, "InSync").await?;
    let grace = json!({"spec": {"template": {"spec": {"terminationGracePeriodSeconds": 1}}}});
    env.merge(&web, grace).await?;
    env.rolled_out(&web).await?;
    let never = json!({"metadata": {"annotations": {"projsync.dev/sync": "false"}}});
    env.merge(&web, never).await?;
    operator.decided(&web, "NotManaged").await?;
    // Its controller notes the annotation on the ReplicaSet.
    let sets = object("apps/v1", "ReplicaSet", "");
    eventually("the annotation of the ReplicaSet", async || {
        let all = env.all(&sets).await?;
        let noted = |set: &Value| set["metadata"]["annotations"]["projsync.dev/sync"] == "false";
        Ok(all.iter().any(noted).then_some(()))
    })
    .await?;
    env.kubectl(&["rollout", "undo", "deployment/web"]).await?;
    operator.decided(&web, "InSync").await?;
    let said = "projsync.dev/sync was \"false\" and is absent now";
    eventually("an Event of the undo", async || {
        let events = env.events(&web).await?;
        let told = |(reason, note): &(String, String)| {
            reason == "AnnotationsUndone" && note.contains(said)
        };
        Ok(events.iter().any(told).then_some(()))
    })
    .await?;
    env.rolled_out(&web).await?;
    let user = User::new(&env).await?;
    let explained = user.prints(0, &["explain", "deployment/web"]).await?;
    ensure!(explained.contains(said), "{explained}");
    Ok(())
}

#[tokio::test]
async fn what_one_may_not_see_is_said() -> Result {
    let env = Env::new().await?;
    let (_, web) = observed(&env).await?;
    let operator = env.operator(&[]).await?;
    operator.decided(&web, "InSync").await?;
    let user = User::new(&env).await?;
    let narrow = json!([{
        "apiGroups": ["projsync.dev"], "resources": ["projections"], "verbs": ["get", "list"],
    }]);
    let role = object("rbac.authorization.k8s.io/v1", "Role", "reader");
    env.merge(&role, json!({"rules": narrow})).await?;
    env.reported(&web, 2, |status| status.pods.total).await?;

    let output = user.run(&["tree", "cm/app"]).await?;
    let (out, notes) = (
        String::from_utf8(output.stdout)?,
        String::from_utf8(output.stderr)?,
    );
    ensure!(output.status.success(), "{out}{notes}");
    ensure!(out.contains("deployment/web"), "from its Projection: {out}");
    ensure!(notes.contains("you may not read pods"), "{notes}");
    ensure!(notes.contains("you may not read deployments"), "{notes}");

    env.merge(&role, json!({"rules": []})).await?;
    let output = user.run(&["status"]).await?;
    let notes = String::from_utf8(output.stderr)?;
    ensure!(output.status.code() == Some(1), "{notes}");
    ensure!(
        notes.contains("you may not read projections.projsync.dev"),
        "{notes}"
    );
    Ok(())
}
