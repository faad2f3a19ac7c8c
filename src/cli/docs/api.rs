//! `api.md`: the reference of the custom resources, generated from their definitions.

use std::fmt::Write as _;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use serde_json::Value;

use crate::api::{crd, names};

/// An example of each kind.
const EXAMPLES: [(&str, &str); 3] = [
    (
        "SyncPolicy",
        include_str!("../../../config/samples/projsync.dev_v1alpha1_syncpolicy.yaml"),
    ),
    (
        "ClusterSyncPolicy",
        include_str!("../../../config/samples/projsync.dev_v1alpha1_clustersyncpolicy.yaml"),
    ),
    ("Projection", include_str!("projection.yaml")),
];

/// The document.
///
/// # Errors
/// If a schema can't be written as JSON.
pub(super) fn text() -> serde_json::Result<String> {
    let mut text = format!(
        "# API reference\n\n\
        These are the custom resources of group `{}`. A field is optional unless it says *required*; if it is left out, \
        it has its default. Rules are written in [CEL](https://kubernetes.io/docs/reference/using-api/cel/); an \
        object that breaks one is refused with the message beside it. `[]` stands for each item of a list, `.*` for \
        each value of a map. [reasons.md](reasons.md) explains the reasons, [concepts.md](concepts.md) Pod states and \
        classes. The definitions are in [crds](../crds); `kubectl explain` shows them too.\n",
        names::GROUP
    );
    let definitions = crd::all();
    for (kind, example) in EXAMPLES {
        let of_kind = |crd: &&CustomResourceDefinition| crd.spec.names.kind == kind;
        for crd in definitions.iter().filter(of_kind) {
            definition(&mut text, crd, example)?;
        }
    }
    annotations(&mut text);
    Ok(text)
}

// Writing to a String can't fail, so its results are dropped below.

fn definition(
    text: &mut String,
    crd: &CustomResourceDefinition,
    example: &str,
) -> serde_json::Result<()> {
    let names = &crd.spec.names;
    for version in &crd.spec.versions {
        let schema = match version
            .schema
            .as_ref()
            .and_then(|s| s.open_api_v3_schema.as_ref())
        {
            Some(schema) => serde_json::to_value(schema)?,
            None => Value::Null,
        };
        let _ = write!(
            text,
            "\n## {}\n\n{}\n\n`apiVersion: {}/{}`, {}, `kubectl get {}`{}.\n",
            names.kind,
            schema["description"].as_str().unwrap_or_default(),
            crd.spec.group,
            version.name,
            if crd.spec.scope == "Namespaced" {
                "namespaced"
            } else {
                "cluster-scoped"
            },
            names.plural,
            names
                .short_names
                .iter()
                .flatten()
                .fold(String::new(), |all, short| format!("{all} or `{short}`")),
        );
        for rule in rules(&schema) {
            let _ = write!(text, "\n{}.\n", capital(&rule));
        }
        let _ = write!(text, "\n```yaml\n{}\n```\n", example.trim_end());
        for part in ["spec", "status"] {
            let properties = &schema["properties"][part];
            if !properties.is_object() {
                continue;
            }
            let _ = write!(
                text,
                "\n### {} `{part}`\n\n\
                | Field | Type | Default | Constraints | Meaning |\n|---|---|---|---|---|\n",
                names.kind
            );
            fields(text, "", properties);
        }
    }
    Ok(())
}

/// Adds a row for each field of the object, followed by the fields inside it.
fn fields(text: &mut String, path: &str, object: &Value) {
    let required = object["required"].as_array();
    for (name, schema) in object["properties"].as_object().into_iter().flatten() {
        let path = format!("{path}{name}");
        let mut constraints = Vec::new();
        if required.is_some_and(|all| all.iter().any(|one| one == name)) {
            constraints.push("*required*".to_owned());
        }
        constraints.extend(self::constraints(schema));
        let default = match &schema["default"] {
            Value::Null => String::new(),
            default => format!("`{}`", cell(&default.to_string())),
        };
        let _ = writeln!(
            text,
            "| `{path}` | {} | {default} | {} | {} |",
            kind(schema),
            constraints.join("; "),
            cell(schema["description"].as_str().unwrap_or_default()),
        );
        inside(text, &path, schema);
    }
}

/// Adds the fields inside a field, which may be an object, a list or a map.
fn inside(text: &mut String, path: &str, schema: &Value) {
    fields(text, &format!("{path}."), schema);
    for (part, mark) in [("items", "[]"), ("additionalProperties", ".*")] {
        if schema[part].is_object() {
            inside(text, &format!("{path}{mark}"), &schema[part]);
        }
    }
}

/// Type of a field, in the style of Kubernetes' own reference.
fn kind(schema: &Value) -> String {
    let format = schema["format"].as_str();
    if schema["x-kubernetes-int-or-string"] == true {
        return "integer or string".to_owned();
    }
    match schema["type"].as_str().unwrap_or_default() {
        "array" => format!("[]{}", kind(&schema["items"])),
        "object" if schema["additionalProperties"].is_object() => {
            format!("map[string]{}", kind(&schema["additionalProperties"]))
        }
        "string" if format == Some("date-time") => "time".to_owned(),
        "integer" => format.unwrap_or("integer").to_owned(),
        other => other.to_owned(),
    }
}

/// Constraints on a value, in words.
fn constraints(schema: &Value) -> Vec<String> {
    let mut all = Vec::new();
    if let Some(values) = schema["enum"].as_array() {
        let values: Vec<_> = values
            .iter()
            .filter_map(Value::as_str)
            .map(|value| format!("`{value}`"))
            .collect();
        all.push(format!("one of {}", values.join(", ")));
    }
    for (least, most, what) in [
        ("minimum", "maximum", ""),
        ("minLength", "maxLength", " characters"),
        ("minItems", "maxItems", " items"),
        ("minProperties", "maxProperties", " entries"),
    ] {
        // A number may be written as 0 or 0.0.
        let bound = |name: &str| schema[name].as_f64();
        match (bound(least), bound(most)) {
            (Some(least), Some(most)) => all.push(format!("{least} to {most}{what}")),
            (Some(least), None) => all.push(format!("at least {least}{what}")),
            (None, Some(most)) => all.push(format!("at most {most}{what}")),
            (None, None) => {}
        }
    }
    if let Some(pattern) = schema["pattern"].as_str() {
        all.push(format!("matches `{}`", cell(pattern)));
    }
    match schema["x-kubernetes-list-type"].as_str() {
        Some("set") => all.push("no item twice".to_owned()),
        Some("map") => {
            let keys = schema["x-kubernetes-list-map-keys"].as_array();
            let keys: Vec<_> = keys
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .collect();
            all.push(format!("one item for each `{}`", keys.join(", ")));
        }
        _ => {}
    }
    all.extend(rules(schema));
    for (part, what) in [("items", "each"), ("additionalProperties", "each value")] {
        if schema[part].is_object() {
            let inner = constraints(&schema[part]);
            if !inner.is_empty() {
                all.push(format!("{what}: {}", inner.join(", ")));
            }
        }
    }
    all
}

/// CEL rules of a schema, each with its message.
fn rules(schema: &Value) -> Vec<String> {
    let rules = schema["x-kubernetes-validations"].as_array();
    rules
        .into_iter()
        .flatten()
        .map(|rule| {
            let text = |name: &str| rule[name].as_str().unwrap_or_default();
            format!(
                "rule `{}` (*{}*)",
                cell(text("rule")),
                cell(text("message"))
            )
        })
        .collect()
}

fn annotations(text: &mut String) {
    let _ = write!(
        text,
        "\n## Annotations\n\n\
        | Annotation | On | Written by | Value |\n|---|---|---|---|\n\
        | `{}` | a workload, or else its Pod template | its owner | `\"true\"`: managed under the policy that selects it, or under the defaults. \
        `\"false\"`: never managed. The name of a policy: managed under that policy |\n\
        | `{}` | a workload's Pod template | only Projsync, as field manager `{}` | names the content that its Pods \
        are to start with. A new value rolls the workload. Nothing depends on it later, so removing it loses nothing |\n",
        names::SYNC_ANNOTATION,
        names::REVISION_ANNOTATION,
        names::FIELD_MANAGER,
    );
}

/// Text for a cell of a table, where a bar ends the cell even between backticks.
fn cell(text: &str) -> String {
    text.replace('|', r"\|")
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters
        .next()
        .map(|first| first.to_uppercase().chain(letters).collect())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests;
