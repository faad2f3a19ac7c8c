//! What the operator may do, verb by verb, and why. `config/rbac` must say the same.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, ensure};
use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec,
};
use kube::Client;
use kube::api::{Api, PostParams};
use serde_json::Value;
use testkit::{Object, Result, manifests};

use crate::env::Env;

/// Role: resource or `resource=name` of a group: verbs, and why they are needed.
const GRANTS: &str = "
manager:  deployments.apps: list watch: its watch
manager:  deployments.apps: patch: a roll, server-side apply of one annotation
manager:  statefulsets.apps: list watch: its watch
manager:  statefulsets.apps: patch: a roll
manager:  daemonsets.apps: list watch: its watch
manager:  daemonsets.apps: patch: a roll
manager:  replicasets.apps: list watch: whose Pods are whose
manager:  controllerrevisions.apps: list watch: which Pods are current
manager:  pods: list watch: what each has
manager:  configmaps: list watch: that one changed; the watch brings metadata alone
manager:  configmaps: get: to read one that changed
manager:  projections.projsync.dev: list watch: what was remembered
manager:  projections.projsync.dev: create patch: server-side apply, also of one that does not exist
manager:  projections.projsync.dev: delete: once its workload is not managed any more
manager:  syncpolicies.projsync.dev: list watch: which is in force
manager:  syncpolicies/status.projsync.dev: patch: to say what the policy is in force for
manager:  events.events.k8s.io: create: Events on workloads
manager:  events.events.k8s.io: patch: to count what repeats in the series of one Event
secrets:  secrets: list watch: that one changed; the watch brings metadata alone
secrets:  secrets: get: to read one that changed
cluster:  namespaces: list watch: labels that policies select by
cluster:  clustersyncpolicies.projsync.dev: list watch: which is in force
cluster:  clustersyncpolicies/status.projsync.dev: patch: to say what the policy is in force for
operator: leases.coordination.k8s.io: create: the lease, by the first replica there ever is
operator: leases=projsync.coordination.k8s.io: get: before each attempt to lead
operator: leases=projsync.coordination.k8s.io: list watch: a standby sees at once that the lease is given up
operator: leases=projsync.coordination.k8s.io: update: to take, renew and give up the lease
operator: secrets: create: the key of all digests, where there is none
operator: secrets=projsync-digest-key: get: the key of all digests
";

/// Role, resource and verb, as the table has them.
fn declared() -> BTreeSet<String> {
    let mut rules = BTreeSet::new();
    for line in GRANTS.lines().skip(1) {
        let parts: Vec<&str> = line.splitn(4, ": ").map(str::trim).collect();
        let &[role, resource, verbs, _why] = &parts[..] else {
            panic!("{line}: does it say why?");
        };
        let verbs = verbs.split(' ');
        rules.extend(verbs.map(|verb| format!("projsync-{role}: {resource}: {verb}")));
    }
    rules
}

fn strings(value: &Value) -> Vec<String> {
    let items = value.as_array().into_iter().flatten();
    items
        .filter_map(|item| item.as_str().map(str::to_owned))
        .collect()
}

/// The rules of the roles that are bound to the operator's account.
fn granted() -> Result<BTreeSet<String>> {
    let objects = manifests("config/rbac")?;
    let bound: BTreeSet<String> = objects
        .iter()
        .filter(|object| object.kind_name().ends_with("RoleBinding"))
        .map(|binding| {
            binding["roleRef"]["name"]
                .as_str()
                .unwrap_or_default()
                .to_owned()
        })
        .collect();
    let mut rules = BTreeSet::new();
    let roles = objects
        .iter()
        .filter(|object| object.kind_name().ends_with("Role") && bound.contains(&object.name()));
    for role in roles {
        for rule in role["rules"].as_array().context("no rules")? {
            let each = |field: &str, mark: &str| {
                let all = strings(&rule[field]).into_iter();
                let marked = all.map(|one| {
                    if one.is_empty() {
                        one
                    } else {
                        format!("{mark}{one}")
                    }
                });
                marked.collect::<Vec<_>>()
            };
            let (mut names, groups) = (each("resourceNames", "="), each("apiGroups", "."));
            if names.is_empty() {
                names.push(String::new());
            }
            for resource in each("resources", "") {
                for (name, group) in names
                    .iter()
                    .flat_map(|name| groups.iter().map(move |group| (name, group)))
                {
                    let verbs = each("verbs", "").into_iter();
                    rules.extend(
                        verbs.map(|verb| {
                            format!("{}: {resource}{name}{group}: {verb}", role.name())
                        }),
                    );
                }
            }
        }
    }
    Ok(rules)
}

#[test]
fn the_roles_grant_what_is_declared_and_no_more() -> Result {
    let (declared, granted) = (declared(), granted()?);
    let missing: Vec<&String> = declared.difference(&granted).collect();
    let surplus: Vec<&String> = granted.difference(&declared).collect();
    ensure!(missing.is_empty(), "config/rbac lacks {missing:?}");
    ensure!(
        surplus.is_empty(),
        "nothing says why config/rbac grants {surplus:?}"
    );
    Ok(())
}

#[test]
fn bindings_and_kustomizations_fit_together() -> Result {
    let all = manifests("config/rbac")?;
    let namespaced = manifests("config/rbac/namespaced")?;
    let roles: BTreeMap<String, String> = all
        .iter()
        .filter(|object| object.kind_name().ends_with("Role"))
        .map(|role| (role.name(), role.kind_name()))
        .collect();
    for binding in all.iter().chain(&namespaced) {
        if !binding.kind_name().ends_with("RoleBinding") {
            continue;
        }
        let role = binding["roleRef"]["name"].as_str().unwrap_or_default();
        let kind = binding["roleRef"]["kind"].as_str().map(str::to_owned);
        ensure!(
            roles.get(role) == kind.as_ref(),
            "{role} of {}",
            binding.name()
        );
        ensure!(binding["subjects"][0]["name"] == "projsync");
    }
    for folder in ["config/rbac", "config/rbac/namespaced"] {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
        let text = std::fs::read_to_string(folder.join("kustomization.yaml"))?;
        let kustomization: Value = serde_saphyr::from_str(&text)?;
        let listed: BTreeSet<String> = strings(&kustomization["resources"]).into_iter().collect();
        let there: BTreeSet<String> = std::fs::read_dir(&folder)?
            .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
            .collect::<Result<_>>()?;
        let files = there.into_iter();
        let files = files.filter(|name| name.ends_with(".yaml") && name != "kustomization.yaml");
        ensure!(listed == files.collect(), "{}", folder.display());
    }
    Ok(())
}

const LEASES: &str = "coordination.k8s.io";

#[tokio::test]
async fn the_account_may_do_its_work_and_nothing_next_to_it() -> Result {
    let env = Env::new().await?;
    let client = env.account_client().await?;
    let (here, home) = (env.namespace.as_str(), env.home.namespace.as_str());
    for (wanted, verb, group, resource, namespace, name) in [
        (true, "patch", "apps", "deployments", here, "web"),
        (false, "update", "apps", "deployments", here, "web"),
        (false, "delete", "apps", "deployments", here, "web"),
        (false, "patch", "apps", "deployments", "default", "web"),
        (false, "delete", "", "pods", here, "web-1"),
        (false, "patch", "", "pods", here, "web-1"),
        (true, "get", "", "secrets", here, "db"),
        (false, "patch", "", "secrets", here, "db"),
        (true, "get", "", "secrets", home, "projsync-digest-key"),
        (false, "get", "", "secrets", home, "another"),
        (false, "list", "", "secrets", "default", ""),
        (true, "update", LEASES, "leases", home, "projsync"),
        (false, "update", LEASES, "leases", home, "another"),
        (true, "list", "projsync.dev", "clustersyncpolicies", "", ""),
        (
            false,
            "patch",
            "projsync.dev",
            "clustersyncpolicies",
            "",
            "all",
        ),
    ] {
        let attributes = ResourceAttributes {
            verb: Some(verb.to_owned()),
            group: Some(group.to_owned()),
            resource: Some(resource.to_owned()),
            namespace: Some(namespace.to_owned()),
            name: Some(name.to_owned()),
            ..ResourceAttributes::default()
        };
        let allowed = may(&client, attributes).await?;
        ensure!(
            allowed == wanted,
            "{verb} {resource} {namespace}/{name}: {allowed}"
        );
    }
    Ok(())
}

async fn may(client: &Client, attributes: ResourceAttributes) -> Result<bool> {
    let review = SelfSubjectAccessReview {
        spec: SelfSubjectAccessReviewSpec {
            resource_attributes: Some(attributes),
            ..SelfSubjectAccessReviewSpec::default()
        },
        ..SelfSubjectAccessReview::default()
    };
    let reviews: Api<SelfSubjectAccessReview> = Api::all(client.clone());
    let answer = reviews.create(&PostParams::default(), &review).await?;
    Ok(answer.status.context("no answer")?.allowed)
}
