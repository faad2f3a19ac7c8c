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

/// A verb on a resource, and why it is needed.
struct Grant {
    role: &'static str,
    group: &'static str,
    resource: &'static str,
    /// Only the object of this name.
    name: Option<&'static str>,
    verbs: &'static [(&'static str, &'static str)],
}

const LIST: (&str, &str) = ("list", "the first list of its watch");
const WATCH: (&str, &str) = ("watch", "its watch");
const PATCH_WORKLOAD: (&str, &str) = ("patch", "a roll: server-side apply of one annotation");
const PATCH_STATUS: (&str, &str) = ("patch", "to say what the policy is in force for");

const fn grant(
    role: &'static str,
    group: &'static str,
    resource: &'static str,
    verbs: &'static [(&'static str, &'static str)],
) -> Grant {
    let name = None;
    Grant {
        role,
        group,
        resource,
        name,
        verbs,
    }
}

const fn named(mut grant: Grant, name: &'static str) -> Grant {
    grant.name = Some(name);
    grant
}

const GRANTS: &[Grant] = &[
    // In the namespaces that are watched.
    grant(
        "projsync-manager",
        "apps",
        "deployments",
        &[LIST, WATCH, PATCH_WORKLOAD],
    ),
    grant(
        "projsync-manager",
        "apps",
        "statefulsets",
        &[LIST, WATCH, PATCH_WORKLOAD],
    ),
    grant(
        "projsync-manager",
        "apps",
        "daemonsets",
        &[LIST, WATCH, PATCH_WORKLOAD],
    ),
    grant("projsync-manager", "apps", "replicasets", &[LIST, WATCH]),
    grant(
        "projsync-manager",
        "apps",
        "controllerrevisions",
        &[LIST, WATCH],
    ),
    grant("projsync-manager", "", "pods", &[LIST, WATCH]),
    grant(
        "projsync-manager",
        "",
        "configmaps",
        &[
            LIST,
            WATCH,
            (
                "get",
                "to read one that changed: the watch brings metadata alone",
            ),
        ],
    ),
    grant(
        "projsync-manager",
        "projsync.dev",
        "projections",
        &[
            LIST,
            WATCH,
            (
                "create",
                "server-side apply of one that does not exist needs it beside patch",
            ),
            ("patch", "server-side apply"),
            ("delete", "once its workload is not managed any more"),
        ],
    ),
    grant(
        "projsync-manager",
        "projsync.dev",
        "syncpolicies",
        &[LIST, WATCH],
    ),
    grant(
        "projsync-manager",
        "projsync.dev",
        "syncpolicies/status",
        &[PATCH_STATUS],
    ),
    grant(
        "projsync-manager",
        "events.k8s.io",
        "events",
        &[
            ("create", "Events on workloads"),
            ("patch", "to count what repeats in the series of one Event"),
        ],
    ),
    grant(
        "projsync-secrets",
        "",
        "secrets",
        &[
            LIST,
            WATCH,
            (
                "get",
                "to read one that changed: the watch brings metadata alone",
            ),
        ],
    ),
    // What has no namespace.
    grant("projsync-cluster", "", "namespaces", &[LIST, WATCH]),
    grant(
        "projsync-cluster",
        "projsync.dev",
        "clustersyncpolicies",
        &[LIST, WATCH],
    ),
    grant(
        "projsync-cluster",
        "projsync.dev",
        "clustersyncpolicies/status",
        &[PATCH_STATUS],
    ),
    // In the operator's own namespace. `create` can't be confined to a name.
    grant(
        "projsync-operator",
        "coordination.k8s.io",
        "leases",
        &[("create", "the lease, by the first replica there ever is")],
    ),
    named(
        grant(
            "projsync-operator",
            "coordination.k8s.io",
            "leases",
            &[
                ("get", "before each attempt to lead"),
                ("list", "a standby's watch"),
                ("watch", "a standby sees at once that the lease is given up"),
                ("update", "to take, renew and give up the lease"),
            ],
        ),
        "projsync",
    ),
    grant(
        "projsync-operator",
        "",
        "secrets",
        &[("create", "the key of all digests, where there is none")],
    ),
    named(
        grant(
            "projsync-operator",
            "",
            "secrets",
            &[("get", "the key of all digests")],
        ),
        "projsync-digest-key",
    ),
];

/// Role, group, resource, name, verb.
type Rule = (String, String, String, Option<String>, String);

fn declared() -> BTreeSet<Rule> {
    let rules = GRANTS.iter().flat_map(|grant| {
        grant.verbs.iter().map(|(verb, _)| {
            (
                grant.role.to_owned(),
                grant.group.to_owned(),
                grant.resource.to_owned(),
                grant.name.map(str::to_owned),
                (*verb).to_owned(),
            )
        })
    });
    rules.collect()
}

fn strings(value: &Value) -> Vec<String> {
    let items = value.as_array().into_iter().flatten();
    items
        .filter_map(|item| item.as_str().map(str::to_owned))
        .collect()
}

/// The rules of the roles that are bound to the operator's account.
fn granted() -> Result<BTreeSet<Rule>> {
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
    for role in objects
        .iter()
        .filter(|object| object.kind_name().ends_with("Role") && bound.contains(&object.name()))
    {
        for rule in role["rules"].as_array().context("no rules")? {
            let mut names: Vec<Option<String>> = strings(&rule["resourceNames"])
                .into_iter()
                .map(Some)
                .collect();
            if names.is_empty() {
                names.push(None);
            }
            for group in strings(&rule["apiGroups"]) {
                for resource in strings(&rule["resources"]) {
                    for name in &names {
                        for verb in strings(&rule["verbs"]) {
                            rules.insert((
                                role.name(),
                                group.clone(),
                                resource.clone(),
                                name.clone(),
                                verb,
                            ));
                        }
                    }
                }
            }
        }
    }
    Ok(rules)
}

#[test]
fn the_roles_grant_what_is_declared_and_no_more() -> Result {
    let (declared, granted) = (declared(), granted()?);
    let missing: Vec<&Rule> = declared.difference(&granted).collect();
    let surplus: Vec<&Rule> = granted.difference(&declared).collect();
    ensure!(missing.is_empty(), "config/rbac lacks {missing:?}");
    ensure!(
        surplus.is_empty(),
        "nothing says why config/rbac grants {surplus:?}"
    );
    Ok(())
}

#[test]
fn each_verb_says_why() {
    for grant in GRANTS {
        assert!(!grant.verbs.is_empty());
        for (verb, why) in grant.verbs {
            assert!(why.len() > 5, "{} {}", verb, grant.resource);
        }
    }
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

#[tokio::test]
async fn the_account_may_do_its_work_and_nothing_next_to_it() -> Result {
    let env = Env::new().await?;
    let client = env.account_client().await?;
    let (here, home) = (env.namespace.as_str(), env.home.namespace.as_str());
    for (verb, group, resource, namespace, name, wanted) in [
        ("patch", "apps", "deployments", here, "web", true),
        ("update", "apps", "deployments", here, "web", false),
        ("delete", "apps", "deployments", here, "web", false),
        ("patch", "apps", "deployments", "default", "web", false),
        ("delete", "", "pods", here, "web-1", false),
        ("patch", "", "pods", here, "web-1", false),
        ("get", "", "secrets", here, "db", true),
        ("patch", "", "secrets", here, "db", false),
        ("get", "", "secrets", home, "projsync-digest-key", true),
        ("get", "", "secrets", home, "another", false),
        ("list", "", "secrets", "default", "", false),
        (
            "update",
            "coordination.k8s.io",
            "leases",
            home,
            "projsync",
            true,
        ),
        (
            "update",
            "coordination.k8s.io",
            "leases",
            home,
            "another",
            false,
        ),
        ("list", "projsync.dev", "clustersyncpolicies", "", "", true),
        (
            "patch",
            "projsync.dev",
            "clustersyncpolicies",
            "",
            "all",
            false,
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
