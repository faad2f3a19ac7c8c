//! Names as users type them and as kubectl shows them.

use super::*;

#[test]
fn sources_are_read_as_kubectl_reads_them() {
    let cases = [
        ("configmap/app", SourceKind::CONFIG_MAP, "app"),
        ("cm/app.yaml", SourceKind::CONFIG_MAP, "app.yaml"),
        ("ConfigMaps/a-1", SourceKind::CONFIG_MAP, "a-1"),
        ("secret/db", SourceKind::SECRET, "db"),
        ("secrets/db", SourceKind::SECRET, "db"),
    ];
    for (text, kind, name) in cases {
        let name = name.to_owned();
        let expected = SourceName { kind, name };
        assert_eq!(text.parse(), Ok(Root::Source(expected)), "{text}");
    }
}

#[test]
fn workloads_are_read_as_kubectl_reads_them() {
    let cases = [
        ("deployment/web", WorkloadKind::DEPLOYMENT),
        ("deploy/web", WorkloadKind::DEPLOYMENT),
        ("Deployment/web", WorkloadKind::DEPLOYMENT),
        ("deployments.apps/web", WorkloadKind::DEPLOYMENT),
        ("statefulset.apps/web", WorkloadKind::STATEFUL_SET),
        ("sts/web", WorkloadKind::STATEFUL_SET),
        ("ds/web", WorkloadKind::DAEMON_SET),
        ("daemonsets/web", WorkloadKind::DAEMON_SET),
    ];
    for (text, kind) in cases {
        let name = "web".to_owned();
        let expected = WorkloadName { kind, name };
        assert_eq!(text.parse(), Ok(expected.clone()), "{text}");
        assert_eq!(text.parse(), Ok(Root::Workload(expected)), "{text}");
    }
}

#[test]
fn errors_say_what_to_write() {
    let cases = [
        (
            "web",
            "write KIND/NAME or KIND NAME, such as configmap/app or deployment/web",
        ),
        (
            "cm/",
            "write KIND/NAME or KIND NAME, such as configmap/app or deployment/web",
        ),
        (
            "/app",
            "write KIND/NAME or KIND NAME, such as configmap/app or deployment/web",
        ),
        (
            "cm/a/b",
            "write KIND/NAME or KIND NAME, such as configmap/app or deployment/web",
        ),
        (
            "job/x",
            "\"job\" is none of configmap (cm), secret, deployment (deploy), statefulset (sts), daemonset (ds)",
        ),
        (
            "cm/App",
            "\"App\" can't be a name: up to 253 of a-z, 0-9, '-' and '.', beginning and ending with a letter or digit",
        ),
    ];
    for (text, expected) in cases {
        let error = text.parse::<Root>().unwrap_err();
        assert_eq!(error.to_string(), expected, "{text}");
    }
    assert!("configmap/app".parse::<WorkloadName>().is_err());
    for text in [
        "cm/-a",
        "cm/a-",
        "cm/a_b",
        "cm/a?watch=1",
        "cm/\u{1b}",
        "cm/..",
    ] {
        let error = text.parse::<Root>().unwrap_err();
        assert!(matches!(error, NameError::Name { .. }), "{text}");
    }
    assert!(format!("cm/{}", "a".repeat(254)).parse::<Root>().is_err());
}

#[test]
fn names_are_shown_as_kubectl_takes_them() {
    let name: WorkloadName = "sts/db".parse().unwrap();
    assert_eq!(name.to_string(), "statefulset/db");
    assert_eq!(name.with_group(), "statefulset.apps/db");
}
