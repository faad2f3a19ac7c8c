//! Names of objects as users type them: `KIND/NAME`.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;
use thiserror::Error;

use crate::kinds::{Kind, Row, SourceKind, SourceRow, WorkloadKind, WorkloadRow};

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

/// Root of a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Root {
    /// A source; the tree shows who projects it.
    Source(SourceName),
    /// A workload; the tree shows what it projects.
    Workload(WorkloadName),
}

/// Reason why a name can't be understood.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NameError {
    /// The name has no slash, or more than one.
    #[error("write KIND/NAME or KIND NAME, such as {example}")]
    Shape {
        /// A name of the wanted kind.
        example: &'static str,
    },
    /// The kind is not one of those that are possible.
    #[error("{kind:?} is none of {wanted}")]
    Kind {
        /// What was typed.
        kind: String,
        /// The possible kinds.
        wanted: String,
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

/// Names of all kinds of a sort, each with its short names.
fn names<R: Row>() -> String {
    let names = Kind::<R>::all().map(|kind| {
        let api = kind.api();
        match api.short_names {
            [] => api.singular(),
            short => format!("{} ({})", api.singular(), short.join(", ")),
        }
    });
    names.collect::<Vec<_>>().join(", ")
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

impl FromStr for WorkloadName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let (kind, name) = split(text, "deployment/web")?;
        match WorkloadKind::called(&kind) {
            Some(kind) => Ok(Self::new(kind, name)),
            None => Err(NameError::Kind {
                kind,
                wanted: names::<WorkloadRow>(),
            }),
        }
    }
}

impl FromStr for Root {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let (kind, name) = split(text, "configmap/app or deployment/web")?;
        if let Some(kind) = SourceKind::called(&kind) {
            return Ok(Self::Source(SourceName::new(kind, name)));
        }
        match WorkloadKind::called(&kind) {
            Some(kind) => Ok(Self::Workload(WorkloadName::new(kind, name))),
            None => Err(NameError::Kind {
                kind,
                wanted: format!("{}, {}", names::<SourceRow>(), names::<WorkloadRow>()),
            }),
        }
    }
}

impl fmt::Display for SourceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind.api.singular(), self.name)
    }
}

impl fmt::Display for WorkloadName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind.api.singular(), self.name)
    }
}

impl SourceName {
    /// Names a source.
    pub fn new(kind: SourceKind, name: impl Into<String>) -> Self {
        let name = name.into();
        Self { kind, name }
    }
}

impl WorkloadName {
    /// Names a workload.
    pub fn new(kind: WorkloadKind, name: impl Into<String>) -> Self {
        let name = name.into();
        Self { kind, name }
    }

    /// As `kubectl -o name` has it: `deployment.apps/web`.
    #[must_use]
    pub fn with_group(&self) -> String {
        format!("{}/{}", self.kind.api.qualified(), self.name)
    }
}

/// A kind as kubectl shows it.
#[must_use]
pub fn lower(kind: &str) -> String {
    kind.to_ascii_lowercase()
}

#[cfg(test)]
mod tests;
