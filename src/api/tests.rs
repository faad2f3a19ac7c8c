//! The CustomResourceDefinitions: structural and with working rules.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt;
use serde_json::{Value, json};

use crate::api::policy::{ClusterSyncPolicySpec, SyncPolicySpec};
use crate::api::projection::{
    ImmutableRecord, PodRecord, PodState, Pods, ProjectionSpec, ProjectionStatus, ReferenceRecord,
    Since, TimelineEntry, WorkloadRef,
};
use crate::api::rules::Rules;
use crate::api::{ClusterSyncPolicy, Projection, SyncPolicy, crd, names};
use crate::kinds::Class;
use crate::kinds::{SourceKind, WorkloadKind};

fn schema(crd: &CustomResourceDefinition) -> Value {
    serde_json::to_value(&crd.spec.versions[0].schema).unwrap()["openAPIV3Schema"].take()
}

fn crd(name: &str) -> CustomResourceDefinition {
    crd::all()
        .into_iter()
        .find(|crd| crd.spec.names.kind == name)
        .unwrap()
}

/// Calls for each schema below this one, with its path.
fn each(path: &str, schema: &Value, visit: &mut impl FnMut(&str, &Value)) {
    visit(path, schema);
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        each(&format!("{path}.{name}"), property, visit);
    }
    for part in ["items", "additionalProperties"] {
        if schema[part].is_object() {
            each(&format!("{path}.{part}"), &schema[part], visit);
        }
    }
}

/// The rules of "Specifying a structural schema" in the Kubernetes documentation, and
/// those for what an API server accepts in a CRD at all.
#[test]
fn every_schema_is_structural() {
    for crd in crd::all() {
        let mut count = 0;
        each(
            crd.metadata.name.as_ref().unwrap(),
            &schema(&crd),
            &mut |path, schema| {
                count += 1;
                let schema = schema.as_object().unwrap();
                assert!(
                    schema.get("type").is_some_and(Value::is_string)
                        || schema.contains_key("x-kubernetes-int-or-string"),
                    "{path}: no type"
                );
                for forbidden in [
                    "$ref",
                    "$schema",
                    "definitions",
                    "dependencies",
                    "deprecated",
                    "discriminator",
                    "id",
                    "patternProperties",
                    "readOnly",
                    "writeOnly",
                    "xml",
                    "uniqueItems",
                    "allOf",
                    "anyOf",
                    "oneOf",
                    "not",
                    "nullable",
                    "title",
                    "const",
                    "x-kubernetes-preserve-unknown-fields",
                ] {
                    assert!(!schema.contains_key(forbidden), "{path}: {forbidden}");
                }
                assert!(
                    !(schema.contains_key("properties")
                        && schema.contains_key("additionalProperties")),
                    "{path}: properties and additionalProperties exclude each other"
                );
                if schema.get("type").is_some_and(|kind| kind == "array") {
                    assert!(schema["items"].is_object(), "{path}: items of an array");
                }
                if let Some(description) = schema.get("description") {
                    assert!(
                        !description.as_str().unwrap().contains('\n'),
                        "{path}: line break"
                    );
                }
            },
        );
        assert!(count > 20, "{count} schemas of {:?}", crd.metadata.name);
    }
}

/// A rule's cost is estimated from bounds, and a rule in an unbounded list is refused.
#[test]
fn whatever_has_rules_is_bounded() {
    for crd in crd::all() {
        let mut bounded = |path: &str, schema: &Value| {
            let has_rules = !schema["x-kubernetes-validations"].is_null();
            // A status has lists without bounds, in which no rule may be.
            let in_status = path.contains(".status");
            assert!(
                !(in_status && has_rules && path.contains(".items")),
                "{path}"
            );
            match schema["type"].as_str().unwrap_or("string") {
                "array" if !in_status => assert!(schema["maxItems"].is_u64(), "{path}"),
                "string" if !in_status || has_rules => assert!(
                    schema["maxLength"].is_u64() || schema["enum"].is_array(),
                    "{path}"
                ),
                _ => assert!(!(in_status && has_rules), "{path}"),
            }
        };
        each(
            crd.metadata.name.as_ref().unwrap(),
            &schema(&crd),
            &mut bounded,
        );
    }
}

#[test]
fn only_the_policies_have_a_status_subresource() {
    let has = |name| crd(name).spec.versions[0].subresources.is_some();
    assert!(has("SyncPolicy") && has("ClusterSyncPolicy"));
    assert!(!has("Projection"));
}

#[test]
fn group_version_and_names_are_those_promised() {
    let promised = [
        ("SyncPolicy", "Namespaced", "syncpol"),
        ("ClusterSyncPolicy", "Cluster", "csyncpol"),
        ("Projection", "Namespaced", "proj"),
    ];
    for (kind, scope, short) in promised {
        let spec = crd(kind).spec;
        assert_eq!(
            (spec.group.as_str(), spec.scope.as_str()),
            (names::GROUP, scope)
        );
        assert_eq!(spec.versions[0].name, names::VERSION);
        assert_eq!(spec.names.short_names, Some(vec![short.to_owned()]));
        assert_eq!(spec.names.categories, Some(vec!["projsync".to_owned()]));
    }
}

#[test]
fn columns_answer_the_question() {
    let names = |kind| -> Vec<String> {
        let columns = crd(kind).spec.versions[0]
            .additional_printer_columns
            .clone();
        columns
            .unwrap()
            .into_iter()
            .filter(|column| column.priority.is_none())
            .map(|column| column.name)
            .collect()
    };
    assert_eq!(
        names("Projection"),
        [
            "Workload",
            "Sources",
            "Pods",
            "Stale",
            "Last Roll",
            "State",
            "Reason",
            "Age"
        ]
    );
    assert_eq!(
        names("SyncPolicy"),
        [
            "Strategy",
            "Suspended",
            "Workloads",
            "Stale",
            "Accepted",
            "Age"
        ]
    );
    let mut of_cluster = names("ClusterSyncPolicy");
    assert_eq!(of_cluster.remove(2), "Stop");
    assert_eq!(of_cluster, names("SyncPolicy"));
}

/// Each column shows something that the schema has.
#[test]
fn columns_point_at_fields() {
    for crd in crd::all() {
        let schema = schema(&crd);
        for column in crd.spec.versions[0]
            .additional_printer_columns
            .iter()
            .flatten()
        {
            let path = column.json_path.trim_start_matches('.');
            if path.starts_with("metadata.") {
                continue;
            }
            let path = path.replace("[?(@.type==\"Accepted\")]", ".items");
            let mut at = &schema;
            for part in path.split('.') {
                at = if part == "items" {
                    &at["items"]
                } else {
                    &at["properties"][part]
                };
            }
            assert!(at.is_object(), "{}", column.json_path);
        }
    }
}

#[test]
fn defaults_are_in_the_schema() {
    for kind in ["SyncPolicy", "ClusterSyncPolicy"] {
        let schema = schema(&crd(kind));
        let default =
            |field: &str| schema["properties"]["spec"]["properties"][field]["default"].clone();
        let kinds = json!(["Deployment", "StatefulSet", "DaemonSet"]);
        assert_eq!(default("strategy"), "Rollout");
        assert_eq!(default("settle"), "2s");
        assert_eq!(default("minInterval"), "30s");
        assert_eq!(default("suspend"), false);
        assert_eq!(default("priority"), 0);
        assert_eq!(default("workloads"), json!({ "kinds": kinds }));
        assert_eq!(default("sources"), json!({}));
    }
    // What the API server fills in and what we take for absent are one.
    assert_eq!(
        serde_json::to_value(SyncPolicySpec::default()).unwrap(),
        serde_json::to_value(serde_json::from_value::<SyncPolicySpec>(json!({})).unwrap()).unwrap()
    );
}

#[test]
fn bounds_are_told_as_they_are() {
    let schema = schema(&crd("SyncPolicy"));
    for (_, bounds) in Rules::default().durations() {
        let field = &schema["properties"]["spec"]["properties"][bounds.field];
        let told = field["description"].as_str().unwrap();
        assert!(
            told.ends_with(&format!(": 0s to {}.", bounds.max)),
            "{told}"
        );
        assert_eq!(field["default"], bounds.default.to_string());
    }
}

/// Runs the rules of the CRD as it is installed.
fn validate(kind: &str, name: &str, spec: Value) -> Result<(), String> {
    let object = json!({ "metadata": { "name": name }, "spec": spec });
    kube::core::cel::Validator::new()
        .validate(&schema(&crd(kind)), &object, None)
        .map_err(|errors| errors.to_string())
}

#[test]
fn rules_refuse_what_a_schema_cannot_say() {
    let selector = |operator: &str, values: Value| {
        json!({ "workloads": { "selector": { "matchExpressions": [
            { "key": "a", "operator": operator, "values": values }
        ] } } })
    };
    let no_values = json!({ "namespaceSelector": { "matchExpressions": [
        { "key": "a", "operator": "In" }
    ] } });
    let refused = [
        (
            "a",
            json!({ "settle": "601s" }),
            "settle must be between 0s and 10m",
        ),
        ("a", json!({ "settle": "99999999h" }), "settle"),
        (
            "a",
            json!({ "minInterval": "61m" }),
            "minInterval must be between 0s and 1h",
        ),
        (
            "a",
            json!({ "sources": { "include": [{}] } }),
            "kind or name must be given",
        ),
        (
            "a",
            json!({ "sources": { "exclude": [{ "name": "a" }, {}] } }),
            "kind or name must be given",
        ),
        ("a", selector("In", json!([])), "In and NotIn need values"),
        (
            "a",
            selector("Exists", json!(["b"])),
            "In and NotIn need values",
        ),
        ("a", no_values, "In and NotIn need values"),
        ("true", json!({}), "can't be named true or false"),
        ("false", json!({}), "can't be named true or false"),
    ];
    for (name, spec, message) in refused {
        let error = validate("ClusterSyncPolicy", name, spec.clone()).expect_err(&spec.to_string());
        assert!(error.contains(message), "{spec}: {error}");
    }
    let accepted = [
        json!({ "settle": "0s", "minInterval": "0s" }),
        json!({ "settle": "10m", "minInterval": "1h" }),
        json!({ "sources": { "include": [{ "kind": "Secret" }], "exclude": [{ "name": "a*" }] } }),
        selector("In", json!(["b"])),
        selector("Exists", json!([])),
        json!({ "workloads": { "selector": { "matchExpressions": [{ "key": "a", "operator": "Exists" }] } } }),
    ];
    for spec in accepted {
        for kind in ["SyncPolicy", "ClusterSyncPolicy"] {
            validate(kind, "a", spec.clone()).unwrap_or_else(|error| panic!("{spec}: {error}"));
        }
    }
}

#[test]
fn a_policy_survives_the_way_there_and_back() {
    let spec = json!({
        "namespaces": ["shop"],
        "namespaceSelector": { "matchLabels": { "env": "prod" } },
        "workloads": { "kinds": ["Deployment"], "selector": { "matchLabels": { "app": "web" } } },
        "sources": { "include": [{ "kind": "ConfigMap", "name": "app-*" }] },
        "strategy": "Observe",
        "settle": "1m30s",
        "minInterval": "5m",
        "suspend": true,
        "stop": true,
        "priority": -7,
    });
    let policy: ClusterSyncPolicySpec = serde_json::from_value(spec.clone()).unwrap();
    assert_eq!(serde_json::to_value(&policy).unwrap(), spec);
    let object = ClusterSyncPolicy::new("a", policy);
    let text = serde_json::to_string(&object).unwrap();
    assert_eq!(
        serde_json::from_str::<ClusterSyncPolicy>(&text).unwrap(),
        object
    );
}

#[test]
fn a_projection_says_no_more_than_it_must() {
    let empty = Projection {
        status: Some(ProjectionStatus::default()),
        ..Projection::new(
            "deployment-web",
            ProjectionSpec {
                workload: WorkloadRef {
                    kind: WorkloadKind::DEPLOYMENT,
                    name: "web".to_owned(),
                    uid: "u".to_owned(),
                },
            },
        )
    };
    let value = serde_json::to_value(&empty).unwrap();
    assert_eq!(value["status"]["summary"], json!({ "sources": 0 }));
    let fields: Vec<&String> = value["status"].as_object().unwrap().keys().collect();
    assert_eq!(fields, ["pods", "summary"]);
    // What the API server prunes from it is read as if it had been left out.
    let bare = json!({
        "apiVersion": "projsync.dev/v1alpha1", "kind": "Projection",
        "metadata": { "name": "deployment-web" },
        "spec": value["spec"], "status": {},
    });
    assert_eq!(
        serde_json::from_value::<Projection>(bare).unwrap().status,
        empty.status
    );
}

/// A full Projection has only fields that the schema knows: others would be pruned.
#[test]
fn a_projection_loses_nothing_to_pruning() {
    let reference = ReferenceRecord {
        kind: SourceKind::CONFIG_MAP,
        name: "app".to_owned(),
        class: Class::Frozen,
        uses: vec!["env".to_owned()],
        optional: true,
        keys: vec!["a".to_owned()],
        keys_total: 1,
        missing: false,
        fingerprint: "f".to_owned(),
        source_uid: Some("u".to_owned()),
        source_resource_version: Some("7".to_owned()),
        key_digests: [("a".to_owned(), "d".to_owned())].into(),
        keys_left_out: true,
        timeline: vec![TimelineEntry {
            digest: Some("d".to_owned()),
            unsure: true,
            since: Since {
                resource_version: Some("7".to_owned()),
                exact: true,
                time: None,
            },
            missing: false,
            changed: vec!["a".to_owned()],
            unnamed: true,
            good: None,
        }],
        immutable: Some(ImmutableRecord {
            uid: "u".to_owned(),
            digest: "d".to_owned(),
        }),
        open: true,
    };
    let status = ProjectionStatus {
        references: vec![reference],
        pods: Pods {
            total: 1,
            not_fresh: vec![PodRecord {
                name: "web-1".to_owned(),
                state: PodState::Stale,
                reason: "old".to_owned(),
            }],
            ..Pods::default()
        },
        ..ProjectionStatus::default()
    };
    let value = serde_json::to_value(&status).unwrap();
    known(
        "status",
        &schema(&crd("Projection"))["properties"]["status"],
        &value,
    );
}

fn known(path: &str, schema: &Value, value: &Value) {
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                let path = format!("{path}.{name}");
                let below = match &schema["additionalProperties"] {
                    Value::Null => &schema["properties"][name],
                    below => below,
                };
                assert!(below.is_object(), "{path} is not in the schema");
                known(&path, below, field);
            }
        }
        Value::Array(items) => items
            .iter()
            .for_each(|item| known(path, &schema["items"], item)),
        _ => {}
    }
}

#[test]
fn the_names_are_those_of_the_definitions() {
    assert_eq!(SyncPolicy::crd_name(), "syncpolicies.projsync.dev");
    assert_eq!(
        ClusterSyncPolicy::crd_name(),
        "clustersyncpolicies.projsync.dev"
    );
    assert_eq!(Projection::crd_name(), "projections.projsync.dev");
}
