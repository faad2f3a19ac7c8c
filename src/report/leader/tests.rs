//! Who leads by what the Lease says, and which sources the leader has seen.

use serde_json::{Value, json};

use super::*;
use crate::report::tests::{now, projection};

fn lease(holder: Value, renewed: SignedDuration) -> Lease {
    let renewed = now().saturating_sub(renewed).unwrap();
    serde_json::from_value(json!({
        "metadata": {"name": "projsync"},
        "spec": {
            "holderIdentity": holder, "leaseDurationSeconds": 15,
            "renewTime": renewed.strftime("%Y-%m-%dT%H:%M:%S.000000Z").to_string(),
        },
    }))
    .unwrap()
}

#[test]
fn whoever_does_not_renew_the_lease_does_not_lead() {
    let seconds = SignedDuration::from_secs;
    let a = || json!("a");
    let leads = || Leader::Leads("a".to_owned());
    let cases = [
        (Some(lease(a(), seconds(3))), false, leads()),
        (Some(lease(a(), seconds(16))), false, Leader::Nobody),
        // Its clock is wrong, but it was seen to renew.
        (Some(lease(a(), seconds(3600))), true, leads()),
        (Some(lease(a(), seconds(-3600))), false, Leader::Nobody),
        // It was given up.
        (Some(lease(json!(""), seconds(1))), true, Leader::Nobody),
        (Some(lease(Value::Null, seconds(1))), false, Leader::Nobody),
        (Some(Lease::default()), false, Leader::Nobody),
        (None, false, Leader::Nobody),
    ];
    for (lease, renewed, expected) in cases {
        assert_eq!(
            Leader::of(lease.as_ref(), renewed, now()),
            expected,
            "{lease:?}"
        );
    }
}

fn projected(version: Value) -> Projection {
    let reference = json!({
        "kind": "ConfigMap", "name": "app", "class": "Frozen", "fingerprint": "f",
        "sourceResourceVersion": version,
    });
    let mut projection = projection("Deployment", "web", json!({"references": [reference]}));
    projection.metadata.namespace = Some("shop".to_owned());
    projection
}

#[test]
fn a_source_is_seen_in_the_version_that_the_projection_tells() {
    let leads = Leader::Leads("a".to_owned());
    let app = SourceName::new(SourceKind::CONFIG_MAP, "app");
    let newest = |version: &[&str]| Versions {
        readable: [SourceKind::CONFIG_MAP].into(),
        newest: version
            .iter()
            .map(|version| (("shop".to_owned(), app.clone()), (*version).to_owned()))
            .collect(),
    };
    let unread = Versions::default();
    let cases = [
        (projected(json!("7")), newest(&["7"]), &leads, true),
        (projected(json!("7")), newest(&["8"]), &leads, false),
        (projected(json!("10")), newest(&["9"]), &leads, true),
        (projected(json!("7")), newest(&[]), &leads, false),
        (projected(Value::Null), newest(&["8"]), &leads, false),
        (projected(Value::Null), newest(&[]), &leads, true),
        (projected(json!("7")), newest(&["7"]), &Leader::Untold, true),
        // What one may not read, whoever leads vouches for.
        (projected(json!("7")), unread.clone(), &leads, true),
        (projected(json!("7")), unread, &Leader::Untold, false),
    ];
    for (projection, versions, leader, seen) in cases {
        let expected = (!seen).then(|| app.clone());
        assert_eq!(
            versions.unseen(&projection, leader),
            expected,
            "{versions:?}"
        );
    }
}
