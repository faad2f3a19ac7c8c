//! `KIND/NAME` as users type it.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;
use thiserror::Error;

use crate::kinds::{SourceKind, WorkloadKind};

/// A ConfigMap or Secret.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SourceName {
    /// ConfigMap or Secret.
    pub kind: SourceKind,
    /// `metadata.name`.
    pub name: String,
}

/// A Deployment, StatefulSet or DaemonSet.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WorkloadName {
    /// Its kind.
    pub kind: WorkloadKind,
    /// `metadata.name`.
    pub name: String,
}

/// What `tree` can begin with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Root {
    /// From a source to what projects it.
    Source(SourceName),
    /// From a workload to what it projects.
    Workload(WorkloadName),
}

/// A name that can't be understood.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NameError {
    /// There is no slash, or more than one.
    #[error("write KIND/NAME, such as {example}")]
    Shape {
        /// A name of the wanted kind.
        example: &'static str,
    },
    /// A kind that is not among those wanted.
    #[error("{kind:?} is none of {wanted}")]
    Kind {
        /// What was typed.
        kind: String,
        /// What could be.
        wanted: &'static str,
    },
    /// No object can have this name.
    #[error(
        "{name:?} can't be a name: up to 253 of a-z, 0-9, '-' and '.', beginning and ending with a letter or digit"
    )]
    Name {
        /// What was typed.
        name: String,
    },
}

const SOURCES: &str = "configmap (cm), secret";
const WORKLOADS: &str = "deployment (deploy), statefulset (sts), daemonset (ds)";
const BOTH: &str = "configmap (cm), secret, deployment (deploy), statefulset (sts), daemonset (ds)";

fn source_kind(kind: &str) -> Option<SourceKind> {
    match kind {
        "configmap" | "configmaps" | "cm" => Some(SourceKind::ConfigMap),
        "secret" | "secrets" => Some(SourceKind::Secret),
        _ => None,
    }
}

fn workload_kind(kind: &str) -> Option<WorkloadKind> {
    match kind.strip_suffix(".apps").unwrap_or(kind) {
        "deployment" | "deployments" | "deploy" => Some(WorkloadKind::Deployment),
        "statefulset" | "statefulsets" | "sts" => Some(WorkloadKind::StatefulSet),
        "daemonset" | "daemonsets" | "ds" => Some(WorkloadKind::DaemonSet),
        _ => None,
    }
}

/// The kind in lower case, and the name.
fn split<'a>(text: &'a str, example: &'static str) -> Result<(String, &'a str), NameError> {
    let (kind, name) = text
        .split_once('/')
        .filter(|(kind, name)| !kind.is_empty() && !name.is_empty() && !name.contains('/'))
        .ok_or(NameError::Shape { example })?;
    let alphanumeric = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = name.as_bytes();
    let valid = bytes.len() <= 253
        && bytes
            .iter()
            .all(|byte| alphanumeric(*byte) || matches!(byte, b'-' | b'.'))
        && bytes.first().is_some_and(|byte| alphanumeric(*byte))
        && bytes.last().is_some_and(|byte| alphanumeric(*byte));
    if !valid {
        return Err(NameError::Name {
            name: name.to_owned(),
        });
    }
    Ok((kind.to_ascii_lowercase(), name))
}

impl FromStr for SourceName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let (kind, name) = split(text, "configmap/app")?;
        match source_kind(&kind) {
            Some(kind) => Ok(Self {
                kind,
                name: name.to_owned(),
            }),
            None => Err(NameError::Kind {
                kind,
                wanted: SOURCES,
            }),
        }
    }
}

impl FromStr for WorkloadName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let (kind, name) = split(text, "deployment/web")?;
        match workload_kind(&kind) {
            Some(kind) => Ok(Self {
                kind,
                name: name.to_owned(),
            }),
            None => Err(NameError::Kind {
                kind,
                wanted: WORKLOADS,
            }),
        }
    }
}

impl FromStr for Root {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let (kind, name) = split(text, "configmap/app or deployment/web")?;
        let name = name.to_owned();
        if let Some(kind) = source_kind(&kind) {
            return Ok(Self::Source(SourceName { kind, name }));
        }
        match workload_kind(&kind) {
            Some(kind) => Ok(Self::Workload(WorkloadName { kind, name })),
            None => Err(NameError::Kind { kind, wanted: BOTH }),
        }
    }
}

impl fmt::Display for SourceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", lower(self.kind.as_str()), self.name)
    }
}

impl fmt::Display for WorkloadName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", lower(self.kind.as_str()), self.name)
    }
}

impl WorkloadName {
    /// As `kubectl -o name` has it: `deployment.apps/web`.
    #[must_use]
    pub fn with_group(&self) -> String {
        format!("{}.apps/{}", lower(self.kind.as_str()), self.name)
    }
}

/// A kind as kubectl shows it.
#[must_use]
pub fn lower(kind: &str) -> String {
    kind.to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_read_as_kubectl_reads_them() {
        let cases = [
            ("configmap/app", SourceKind::ConfigMap, "app"),
            ("cm/app.yaml", SourceKind::ConfigMap, "app.yaml"),
            ("ConfigMaps/a-1", SourceKind::ConfigMap, "a-1"),
            ("secret/db", SourceKind::Secret, "db"),
            ("secrets/db", SourceKind::Secret, "db"),
        ];
        for (text, kind, name) in cases {
            let name = name.to_owned();
            let expected = SourceName { kind, name };
            assert_eq!(text.parse(), Ok(expected.clone()), "{text}");
            assert_eq!(text.parse(), Ok(Root::Source(expected)), "{text}");
        }
    }

    #[test]
    fn workloads_are_read_as_kubectl_reads_them() {
        let cases = [
            ("deployment/web", WorkloadKind::Deployment),
            ("deploy/web", WorkloadKind::Deployment),
            ("Deployment/web", WorkloadKind::Deployment),
            ("deployments.apps/web", WorkloadKind::Deployment),
            ("statefulset.apps/web", WorkloadKind::StatefulSet),
            ("sts/web", WorkloadKind::StatefulSet),
            ("ds/web", WorkloadKind::DaemonSet),
            ("daemonsets/web", WorkloadKind::DaemonSet),
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
                "write KIND/NAME, such as configmap/app or deployment/web",
            ),
            (
                "cm/",
                "write KIND/NAME, such as configmap/app or deployment/web",
            ),
            (
                "/app",
                "write KIND/NAME, such as configmap/app or deployment/web",
            ),
            (
                "cm/a/b",
                "write KIND/NAME, such as configmap/app or deployment/web",
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
        assert!("deployment/web".parse::<SourceName>().is_err());
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
}
