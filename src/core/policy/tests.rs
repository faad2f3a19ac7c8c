use std::sync::LazyLock;

use proptest::prelude::{BoxedStrategy, Just, prop_assert_eq, prop_oneof, proptest};
use proptest::strategy::Strategy as _;
use serde_json::{Value, json};

use super::*;
use crate::api::Duration;
use crate::api::Reason;
use crate::api::rules::{Floors, Strategy};
use crate::kinds::{SourceKind, WorkloadKind};

static NO_LABELS: LazyLock<Labels> = LazyLock::new(Labels::new);

type Entry = (PolicyId, Result<CompiledPolicy, PolicyError>);

/// A SyncPolicy as YAML would give it.
fn sync(namespace: &str, name: &str, spec: Value) -> Entry {
    let id = PolicyId::namespaced(namespace, name);
    let spec = serde_json::from_value(spec).unwrap();
    let policy = CompiledPolicy::namespaced(&id, &spec);
    (id, policy)
}

/// A ClusterSyncPolicy as YAML would give it.
fn cluster(name: &str, spec: Value) -> Entry {
    let id = PolicyId::cluster(name);
    let spec = serde_json::from_value(spec).unwrap();
    let policy = CompiledPolicy::cluster(&id, &spec);
    (id, policy)
}

fn policies(entries: impl IntoIterator<Item = Entry>) -> Policies {
    let mut all = Policies::default();
    for (id, policy) in entries {
        all.apply(&id, policy);
    }
    all
}

fn labels(pairs: &[(&str, &str)]) -> Labels {
    pairs
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect()
}

fn web() -> Candidate<'static> {
    Candidate {
        kind: WorkloadKind::DEPLOYMENT,
        namespace: "shop",
        namespace_labels: Some(&NO_LABELS),
        labels: &NO_LABELS,
        sync: None,
    }
}

/// What came of a selection, in a word: a policy, "defaults", or the reason.
fn outcome(selected: &Selected) -> String {
    match selected {
        Selected::Managed(effective) => effective
            .policy
            .as_ref()
            .map_or_else(|| "defaults".to_owned(), PolicyId::to_string),
        Selected::NotManaged { reason, .. } => reason.to_string(),
    }
}

fn asleep() -> Value {
    json!({ "workloads": { "selector": { "matchLabels": { "app": "other" } } } })
}

fn broken() -> Value {
    json!({ "settle": "11m" })
}

#[test]
fn the_nearest_policy_is_in_force() {
    let high = || json!({ "priority": 10 });
    let cases: Vec<(&str, Vec<Entry>, Option<&str>, &str)> = vec![
        ("nothing asked for", vec![], None, "NotManaged"),
        (
            "a policy that doesn't select",
            vec![sync("shop", "a", asleep())],
            None,
            "NotManaged",
        ),
        (
            "a policy of another namespace",
            vec![sync("bank", "a", json!({}))],
            None,
            "NotManaged",
        ),
        (
            "a SyncPolicy",
            vec![sync("shop", "a", json!({}))],
            None,
            "SyncPolicy shop/a",
        ),
        (
            "a ClusterSyncPolicy",
            vec![cluster("c", json!({}))],
            None,
            "ClusterSyncPolicy c",
        ),
        (
            "a SyncPolicy before a ClusterSyncPolicy of higher priority",
            vec![cluster("c", high()), sync("shop", "a", json!({}))],
            None,
            "SyncPolicy shop/a",
        ),
        (
            "of two the higher priority",
            vec![sync("shop", "a", json!({})), sync("shop", "b", high())],
            None,
            "SyncPolicy shop/b",
        ),
        (
            "of equals the first by name",
            vec![sync("shop", "b", high()), sync("shop", "a", high())],
            None,
            "SyncPolicy shop/a",
        ),
        (
            "a priority below zero comes last",
            vec![
                sync("shop", "a", json!({ "priority": -1 })),
                sync("shop", "b", json!({})),
            ],
            None,
            "SyncPolicy shop/b",
        ),
        (
            "one that doesn't select doesn't hide another",
            vec![sync("shop", "a", asleep()), cluster("c", json!({}))],
            None,
            "ClusterSyncPolicy c",
        ),
        (
            "an invalid one doesn't hide another",
            vec![sync("shop", "a", broken()), sync("shop", "b", json!({}))],
            None,
            "SyncPolicy shop/b",
        ),
        (
            "an invalid one selects nothing",
            vec![sync("shop", "a", broken())],
            None,
            "NotManaged",
        ),
        (
            "\"false\" beats all",
            vec![sync("shop", "a", json!({}))],
            Some("false"),
            "NotManaged",
        ),
        (
            "\"true\" without a policy",
            vec![],
            Some("true"),
            "defaults",
        ),
        (
            "\"true\" with a policy that doesn't select",
            vec![sync("shop", "a", asleep())],
            Some("true"),
            "defaults",
        ),
        (
            "\"true\" with a policy that selects",
            vec![sync("shop", "a", json!({})), cluster("c", json!({}))],
            Some("true"),
            "SyncPolicy shop/a",
        ),
        (
            "a name beats a higher priority",
            vec![sync("shop", "a", high()), sync("shop", "b", json!({}))],
            Some("b"),
            "SyncPolicy shop/b",
        ),
        (
            "a name beats the policy's own selector",
            vec![sync("shop", "a", asleep())],
            Some("a"),
            "SyncPolicy shop/a",
        ),
        (
            "a name means the namespace's own policy first",
            vec![cluster("a", high()), sync("shop", "a", json!({}))],
            Some("a"),
            "SyncPolicy shop/a",
        ),
        (
            "a name may mean one of the cluster",
            vec![cluster("c", json!({})), sync("shop", "a", json!({}))],
            Some("c"),
            "ClusterSyncPolicy c",
        ),
        (
            "a name never means one of another namespace",
            vec![sync("bank", "b", json!({})), sync("shop", "a", json!({}))],
            Some("b"),
            "PolicyNotFound",
        ),
        (
            "a name that isn't there, though another selects",
            vec![sync("shop", "a", json!({}))],
            Some("nope"),
            "PolicyNotFound",
        ),
        (
            "no value",
            vec![sync("shop", "a", json!({}))],
            Some(""),
            "PolicyNotFound",
        ),
        (
            "the name of an invalid policy, though the cluster has one too",
            vec![sync("shop", "a", broken()), cluster("a", json!({}))],
            Some("a"),
            "PolicyInvalid",
        ),
    ];
    for (case, entries, annotation, expected) in cases {
        let workload = Candidate {
            sync: annotation,
            ..web()
        };
        let selected = policies(entries).select(&workload);
        assert_eq!(outcome(&selected), expected, "{case}");
    }
}

#[test]
fn a_policy_that_selects_everything_takes_nothing_from_others() {
    let most = json!({"priority": i32::MAX});
    let all = policies(vec![
        cluster("all", most),
        sync("bank", "own", json!({})),
        cluster("named", json!({"strategy": "Observe"})),
    ]);
    let of = |namespace: &str, sync: Option<&str>| {
        let workload = Candidate {
            namespace,
            sync,
            ..web()
        };
        outcome(&all.select(&workload))
    };
    for number in 0..10_000 {
        assert_eq!(of(&format!("team-{number}"), None), "ClusterSyncPolicy all");
    }
    // Who has a policy nearer, names one, or wants none.
    assert_eq!(of("bank", None), "SyncPolicy bank/own");
    assert_eq!(of("shop", Some("named")), "ClusterSyncPolicy named");
    assert_eq!(of("shop", Some("false")), "NotManaged");
    assert_eq!(of("kube-system", Some("false")), "NotManaged");
}

#[test]
fn whatever_the_annotation_says_the_advice_is_seen() {
    for letter in ["x", "\u{1b}", "\n", "\"", "\u{10ffff}"] {
        let name = letter.repeat(1 << 18);
        let workload = Candidate {
            sync: Some(&name),
            ..web()
        };
        let Selected::NotManaged { message, .. } = policies(vec![]).select(&workload) else {
            panic!("managed");
        };
        // The most of an Event's note.
        assert!(message.len() <= 1024, "{}", message.len());
        assert!(message.ends_with("or the name of a policy."), "{message}");
        assert!(!message.contains(char::is_control), "{message}");
    }
}

#[test]
fn each_choice_is_explained() {
    let all = policies([
        sync("shop", "a", json!({})),
        sync("shop", "bad", broken()),
        cluster("c", json!({})),
    ]);
    let why = |namespace, sync| {
        let workload = Candidate {
            namespace,
            sync,
            ..web()
        };
        match all.select(&workload) {
            Selected::Managed(effective) => effective.why.clone(),
            Selected::NotManaged { message, .. } => message,
        }
    };
    assert_eq!(why("shop", None), "SyncPolicy shop/a selects the workload.");
    assert_eq!(
        why("shop", Some("c")),
        "The workload names ClusterSyncPolicy c."
    );
    assert_eq!(
        why("shop", Some("nope")),
        "The workload's annotation projsync.dev/sync names the policy \"nope\", which does not \
         exist: write \"true\", \"false\" or the name of a policy."
    );
    assert_eq!(
        why("shop", Some("bad")),
        "The workload's annotation projsync.dev/sync names the policy \"bad\", which is invalid: \
         spec.settle: 11m is out of bounds: write 0s to 10m."
    );
}

#[test]
fn a_policy_says_what_is_in_force() {
    let all = policies([sync(
        "shop",
        "a",
        json!({ "strategy": "Observe", "settle": "5s", "minInterval": "1h", "suspend": true }),
    )]);
    let Selected::Managed(effective) = all.select(&web()) else {
        panic!("not managed");
    };
    assert_eq!(effective.rules.strategy, Strategy::Observe);
    assert_eq!(effective.rules.settle, Duration::from_secs(5));
    assert_eq!(effective.rules.min_interval, Duration::from_secs(3600));
    assert!(effective.rules.suspend);

    let defaults = Effective::defaults();
    assert_eq!(defaults.rules.strategy, Strategy::Rollout);
    assert_eq!(defaults.rules.settle, Duration::from_secs(2));
    assert_eq!(defaults.rules.min_interval, Duration::from_secs(30));
    assert!(!defaults.rules.suspend);
}

#[test]
fn workloads_are_selected_by_kind_label_and_namespace() {
    let front = labels(&[("tier", "front"), ("app", "web")]);
    let prod = labels(&[("env", "prod")]);
    let expression = |operator: &str, values: Value| {
        json!({ "workloads": { "selector": { "matchExpressions": [
            { "key": "tier", "operator": operator, "values": values }
        ] } } })
    };
    let cases = [
        ("all", json!({}), true),
        (
            "its kind",
            json!({ "workloads": { "kinds": ["StatefulSet", "Deployment"] } }),
            true,
        ),
        (
            "another kind",
            json!({ "workloads": { "kinds": ["StatefulSet"] } }),
            false,
        ),
        (
            "its label",
            json!({ "workloads": { "selector": { "matchLabels": { "tier": "front" } } } }),
            true,
        ),
        (
            "two labels, one of them not its own",
            json!({ "workloads": { "selector": { "matchLabels": { "tier": "front", "app": "db" } } } }),
            false,
        ),
        ("In", expression("In", json!(["back", "front"])), true),
        ("NotIn", expression("NotIn", json!(["front"])), false),
        ("Exists", expression("Exists", json!([])), true),
        ("DoesNotExist", expression("DoesNotExist", json!([])), false),
        (
            "its namespace",
            json!({ "namespaces": ["bank", "shop"] }),
            true,
        ),
        (
            "another namespace",
            json!({ "namespaces": ["bank"] }),
            false,
        ),
        (
            "the label of its namespace",
            json!({ "namespaceSelector": { "matchLabels": { "env": "prod" } } }),
            true,
        ),
        (
            "the label of another namespace",
            json!({ "namespaceSelector": { "matchLabels": { "env": "test" } } }),
            false,
        ),
        (
            "another namespace by name, its own by label",
            json!({ "namespaces": ["bank"], "namespaceSelector": { "matchLabels": { "env": "prod" } } }),
            true,
        ),
        (
            "an empty selector",
            json!({ "namespaceSelector": {} }),
            true,
        ),
    ];
    for (case, spec, expected) in cases {
        let workload = Candidate {
            labels: &front,
            namespace_labels: Some(&prod),
            ..web()
        };
        let selected = policies([cluster("c", spec)]).select(&workload);
        assert_eq!(matches!(selected, Selected::Managed(_)), expected, "{case}");
    }
}

#[test]
fn a_namespace_whose_labels_are_not_known_is_selected_by_name_only() {
    let without = json!({ "matchExpressions": [{ "key": "env", "operator": "DoesNotExist" }] });
    let cases = [
        (json!({ "namespaceSelector": without }), false),
        (json!({ "namespaceSelector": {} }), false),
        (
            json!({ "namespaces": ["shop"], "namespaceSelector": without }),
            true,
        ),
        (json!({}), true),
    ];
    for (spec, expected) in cases {
        let workload = Candidate {
            namespace_labels: None,
            ..web()
        };
        let selected = policies([cluster("c", spec.clone())]).select(&workload);
        assert_eq!(matches!(selected, Selected::Managed(_)), expected, "{spec}");
    }
}

#[test]
fn sources_are_included_and_excluded() {
    let cases = [
        (json!({}), "app", true),
        (json!({ "include": [{ "name": "app-*" }] }), "app-web", true),
        (json!({ "include": [{ "name": "app-*" }] }), "app", false),
        (
            json!({ "include": [{ "name": "a?p" }, { "name": "b[0-9]" }] }),
            "b7",
            true,
        ),
        (json!({ "include": [{ "name": "{app,web}" }] }), "web", true),
        (json!({ "include": [{ "kind": "Secret" }] }), "app", false),
        (
            json!({ "include": [{ "kind": "ConfigMap", "name": "*" }] }),
            "a.b",
            true,
        ),
        (
            json!({ "include": [{ "kind": "Secret", "name": "app" }, { "name": "web" }] }),
            "app",
            false,
        ),
        (json!({ "exclude": [{ "kind": "Secret" }] }), "app", true),
        (json!({ "exclude": [{ "name": "*.crt" }] }), "ca.crt", false),
        (
            json!({ "include": [{ "name": "app" }], "exclude": [{ "kind": "ConfigMap" }] }),
            "app",
            false,
        ),
    ];
    for (sources, name, expected) in cases {
        let (_, policy) = sync("shop", "a", json!({ "sources": sources }));
        let filter = &policy.unwrap().selecting.sources;
        assert_eq!(
            filter.admits(SourceKind::CONFIG_MAP, name),
            expected,
            "{sources} {name}"
        );
    }
}

#[test]
fn what_is_wrong_with_a_policy_is_said() {
    let requirement = |key: &str, operator: &str, values: Value| {
        json!({ "workloads": { "selector": { "matchExpressions": [
            { "key": key, "operator": operator, "values": values }
        ] } } })
    };
    let label =
        |key: &str, value: &str| json!({ "namespaceSelector": { "matchLabels": { key: value } } });
    let cases = [
        (
            requirement("a", "In", json!([])),
            Reason::InvalidSelector,
            "spec.workloads.selector: matchExpressions[0]: In needs at least one value",
        ),
        (
            requirement("a", "NotIn", Value::Null),
            Reason::InvalidSelector,
            "spec.workloads.selector: matchExpressions[0]: NotIn needs at least one value",
        ),
        (
            requirement("a", "Exists", json!(["b"])),
            Reason::InvalidSelector,
            "spec.workloads.selector: matchExpressions[0]: Exists takes no values",
        ),
        (
            requirement("a", "Gt", json!(["1"])),
            Reason::InvalidSelector,
            "spec.workloads.selector: matchExpressions[0]: \"Gt\" is no operator: write In, \
             NotIn, Exists or DoesNotExist",
        ),
        (
            requirement("a b", "Exists", Value::Null),
            Reason::InvalidSelector,
            "spec.workloads.selector: matchExpressions[0]: \"a b\" is not the name of a label",
        ),
        (
            requirement("a", "In", json!(["-b"])),
            Reason::InvalidSelector,
            "spec.workloads.selector: matchExpressions[0]: \"-b\" is not the value of a label",
        ),
        (
            label("Example.com/a", "b"),
            Reason::InvalidSelector,
            "spec.namespaceSelector: matchLabels: \"Example.com/a\" is not the name of a label",
        ),
        (
            label("a/b/c", "b"),
            Reason::InvalidSelector,
            "spec.namespaceSelector: matchLabels: \"a/b/c\" is not the name of a label",
        ),
        (
            label("example.com/a", &"b".repeat(64)),
            Reason::InvalidSelector,
            "is not the value of a label",
        ),
        (
            json!({ "sources": { "include": [{ "name": "ok" }, { "name": "a[" }] } }),
            Reason::InvalidPattern,
            "spec.sources.include[1].name: \"a[\" is not a pattern: unclosed character class; \
             missing ']'",
        ),
        (
            json!({ "sources": { "exclude": [{ "name": "{a" }] } }),
            Reason::InvalidPattern,
            "spec.sources.exclude[0].name: \"{a\" is not a pattern",
        ),
        (
            json!({ "settle": "10m0.1s" }),
            Reason::InvalidDuration,
            "spec.settle: 10m0.1s is out of bounds: write 0s to 10m",
        ),
        (
            json!({ "minInterval": "61m" }),
            Reason::InvalidDuration,
            "spec.minInterval: 1h1m is out of bounds: write 0s to 1h",
        ),
        (
            json!({ "rollout": { "deadline": "59s" } }),
            Reason::InvalidDuration,
            "spec.rollout.deadline: 59s is out of bounds: write 1m to 24h",
        ),
        (
            json!({ "rollout": { "maxConcurrent": 0 } }),
            Reason::InvalidAmount,
            "spec.rollout.maxConcurrent: write a number from 1 on, or a percentage from 1% to 100%",
        ),
        (
            json!({ "rollout": { "waves": [{ "name": "a", "size": "101%" }] } }),
            Reason::InvalidAmount,
            "spec.rollout.waves.size: write a number from 1 on, or a percentage from 1% to 100%",
        ),
        (
            json!({ "rollout": { "urgent": [{ "name": "[" }] } }),
            Reason::InvalidPattern,
            "spec.rollout.urgent[0].name: \"[\" is not a pattern",
        ),
    ];
    for (spec, reason, message) in cases {
        let (_, policy) = cluster("c", spec.clone());
        let error = policy.expect_err(&spec.to_string());
        assert_eq!(error.reason(), reason, "{spec}");
        assert!(error.to_string().contains(message), "{error}");
    }
}

#[test]
fn what_is_valid_is_accepted() {
    for key in ["a", "A_b.c-d", "example.com/a", "a-1.b/C"] {
        for value in ["", "b", "1.2_3-X"] {
            let (_, policy) = cluster(
                "c",
                json!({ "namespaceSelector": { "matchLabels": { key: value } } }),
            );
            assert!(policy.is_ok(), "{key}={value}");
        }
    }
}

/// Few names and specs, so that they meet.
fn any_policy() -> BoxedStrategy<Entry> {
    let spec = prop_oneof![
        (-1..2_i32).prop_map(|priority| json!({ "priority": priority })),
        Just(json!({ "suspend": true })),
        Just(asleep()),
        Just(broken()),
    ];
    (0..3_usize, 0..3_usize, spec)
        .prop_map(|(place, name, spec)| {
            let name = ["a", "b", "c"][name];
            match place {
                0 => cluster(name, spec),
                1 => sync("shop", name, spec),
                _ => sync("bank", name, spec),
            }
        })
        .boxed()
}

/// Sets of policies, each name once, and the same in another order.
fn any_order() -> BoxedStrategy<(Vec<Entry>, Vec<Entry>)> {
    proptest::collection::vec(any_policy(), 0..8)
        .prop_map(|entries| {
            let unique: std::collections::BTreeMap<_, _> = entries.into_iter().collect();
            unique.into_iter().collect::<Vec<_>>()
        })
        .prop_flat_map(|entries| (Just(entries.clone()), Just(entries).prop_shuffle()))
        .boxed()
}

const ANNOTATIONS: [Option<&str>; 5] = [None, Some("true"), Some("false"), Some("a"), Some("nope")];

#[test]
fn nothing_takes_off_the_brake_of_the_cluster() {
    let brake = || cluster("brake", json!({"stop": true}));
    let own = || sync("shop", "own", json!({"priority": 1000}));
    let by = |workload: &Candidate<'_>, entries: Vec<Entry>| {
        let selected = policies(entries).select(workload);
        let Selected::Managed(policy) = &selected else {
            return outcome(&selected);
        };
        format!(
            "{} stopped {}",
            outcome(&selected),
            policy.stopped.is_some()
        )
    };
    assert_eq!(
        by(&web(), vec![own(), brake()]),
        "SyncPolicy shop/own stopped true"
    );
    for sync in ["true", "own", "brake"] {
        let asks = Candidate {
            sync: Some(sync),
            ..web()
        };
        assert!(
            by(&asks, vec![own(), brake()]).ends_with("stopped true"),
            "{sync}"
        );
    }
    let defaults = Candidate {
        sync: Some("true"),
        ..web()
    };
    assert_eq!(by(&defaults, vec![brake()]), "defaults stopped true");
    // It manages nothing itself, and stops what it selects.
    assert_eq!(by(&web(), vec![brake()]), "NotManaged");
    let elsewhere = cluster("brake", json!({"stop": true, "namespaces": ["bank"]}));
    assert_eq!(
        by(&web(), vec![own(), elsewhere]),
        "SyncPolicy shop/own stopped false"
    );
}

#[test]
fn no_policy_goes_below_the_floors() {
    let floors = Floors {
        settle: Duration::from_secs(5),
        min_interval: Duration::from_secs(60),
    };
    let mut all = Policies::new(floors);
    let (id, policy) = sync(
        "shop",
        "hasty",
        json!({"settle": "0s", "minInterval": "2m"}),
    );
    all.apply(&id, policy);
    let settings = |workload: Candidate<'_>| match all.select(&workload) {
        Selected::Managed(policy) => (
            policy.rules.settle.to_string(),
            policy.rules.min_interval.to_string(),
        ),
        Selected::NotManaged { .. } => panic!("not managed"),
    };
    let told = |settle: &str, interval: &str| (settle.to_owned(), interval.to_owned());
    assert_eq!(settings(web()), told("5s", "2m"));
    let named = Candidate {
        sync: Some("hasty"),
        ..web()
    };
    assert_eq!(settings(named), told("5s", "2m"));
    let elsewhere = Candidate {
        namespace: "bank",
        sync: Some("true"),
        ..web()
    };
    assert_eq!(settings(elsewhere), told("5s", "1m"));
}

proptest! {
    #[test]
    fn the_order_of_events_does_not_matter(
        (sorted, shuffled) in any_order(),
        passing in proptest::collection::vec(any_policy(), 0..4),
    ) {
        let expected = policies(sorted.clone());
        // Policies that come and go, and older versions of others, leave nothing behind.
        let mut all = policies(passing.clone());
        for (id, policy) in shuffled {
            all.apply(&id, policy);
        }
        for (id, _) in passing {
            if !sorted.iter().any(|(other, _)| *other == id) {
                all.delete(&id);
            }
        }
        prop_assert_eq!(&all, &expected);
        for sync in ANNOTATIONS {
            let workload = Candidate { sync, ..web() };
            prop_assert_eq!(all.select(&workload), expected.select(&workload));
        }
    }

    #[test]
    fn the_first_that_selects_is_in_force((entries, _) in any_order()) {
        let all = policies(entries);
        let first = all.selecting(&web()).into_iter().next();
        let expected = first.map_or_else(|| "NotManaged".to_owned(), |id| id.to_string());
        prop_assert_eq!(outcome(&all.select(&web())), expected);
    }
}
