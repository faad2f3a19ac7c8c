use std::collections::BTreeSet;

use serde_json::json;

use super::*;

fn spellings<R: Row>() -> Vec<(String, &'static str)> {
    Kind::<R>::all()
        .flat_map(|kind| {
            let api = R::api(&kind);
            let names = [api.singular(), api.plural.to_owned(), api.qualified()];
            let short = api.short_names.iter().map(|name| (*name).to_owned());
            let names: Vec<_> = names.into_iter().chain(short).collect();
            names.into_iter().map(move |name| (name, kind.as_str()))
        })
        .collect()
}

fn is_a_registry<R: Row>() {
    let kinds: Vec<Kind<R>> = Kind::all().collect();
    let places: Vec<_> = kinds.iter().map(|kind| usize::from(kind.order())).collect();
    assert_eq!(places, Vec::from_iter(0..kinds.len()));
    let names: BTreeSet<_> = kinds.iter().map(|kind| kind.as_str()).collect();
    assert_eq!(names.len(), kinds.len());
    for (spelling, kind) in spellings::<R>() {
        let called = Kind::<R>::called(&spelling).map(Kind::as_str);
        assert_eq!(called, Some(kind), "{spelling}");
    }
    for kind in kinds {
        let stored = serde_json::to_value(kind).unwrap();
        assert_eq!(stored, json!(kind.as_str()));
        assert_eq!(serde_json::from_value::<Kind<R>>(stored).unwrap(), kind);
        assert_eq!(Kind::of_object(kind.api().group, kind.as_str()), Some(kind));
        assert_eq!(Kind::<R>::of_object("other.example", kind.as_str()), None);
    }
}

#[test]
fn every_row_has_its_own_place_and_names() {
    is_a_registry::<WorkloadRow>();
    is_a_registry::<SourceRow>();
}

#[test]
fn a_kind_is_known_by_the_names_that_kubectl_takes() {
    for name in [
        "deployment",
        "deployments",
        "deploy",
        "deployments.apps",
        "deploy.apps",
    ] {
        assert_eq!(
            WorkloadKind::called(name),
            Some(WorkloadKind::DEPLOYMENT),
            "{name}"
        );
    }
    for name in [
        "deployment.batch",
        "deploymentapps",
        "job",
        "",
        ".apps",
        "cm.apps",
    ] {
        assert_eq!(WorkloadKind::called(name), None, "{name}");
        assert_eq!(SourceKind::called(name), None, "{name}");
    }
    assert_eq!(SourceKind::called("cm"), Some(SourceKind::CONFIG_MAP));
}

#[test]
fn a_kind_that_is_not_known_is_named_with_those_that_are() {
    let error = serde_json::from_value::<SourceKind>(json!("Lease")).unwrap_err();
    assert_eq!(
        error.to_string(),
        "unknown kind \"Lease\", expected one of ConfigMap, Secret"
    );
}

#[test]
fn types_are_spelled_with_their_group() {
    let (deployment, pod) = (&WorkloadKind::DEPLOYMENT.api, POD);
    assert_eq!(
        (&*deployment.api_version(), &*pod.api_version()),
        ("apps/v1", "v1")
    );
    assert_eq!(deployment.qualified(), "deployment.apps");
    assert_eq!(pod.qualified(), "pod");
}

#[test]
fn objects_are_found_under_the_path_of_their_group() {
    assert_eq!(POD.path(Some("shop")), "/api/v1/namespaces/shop/pods");
    assert_eq!(NAMESPACE.path(None), "/api/v1/namespaces");
    let sets = WorkloadKind::DAEMON_SET.api.path(Some("shop"));
    assert_eq!(sets, "/apis/apps/v1/namespaces/shop/daemonsets");
}
