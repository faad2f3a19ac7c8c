//! The variables of a container: `makeEnvironmentVariables` of `pkg/kubelet/kubelet_pods.go`.

use std::collections::BTreeMap;

use crate::expansion::{expand, reference};
use crate::spec::{Container, EnvVar, Given, KeyRef, ValueFrom};
use crate::{Id, Kind, Refused, Sources};

/// The variables with which a container starts.
///
/// - `envFrom` comes first, in order; a later entry replaces what an earlier one gave.
/// - Every key becomes a variable, whatever its name. (Kubelets before 1.32 leave out keys that
///   are no names of variables; Projsync supports none of these.)
/// - `env` replaces what there is, entry by entry. A value is expanded with what was there just
///   before its entry, so that `FOO: "$(FOO)-x"` sees the `FOO` of `envFrom`.
/// - An optional reference to what is absent leaves its variable as it was.
/// - Variables of Services are there where nothing else sets them.
///
/// # Errors
/// Where something required is absent.
pub fn environment(
    container: &Container,
    sources: &Sources,
    given: &Given,
) -> Result<BTreeMap<String, String>, Refused> {
    let mut variables = BTreeMap::new();
    for from in &container.env_from {
        let (kind, from_source) = match (&from.config_map_ref, &from.secret_ref) {
            (Some(config_map), _) => (Kind::ConfigMap, config_map),
            (None, Some(secret)) => (Kind::Secret, secret),
            (None, None) => continue,
        };
        let id = (kind, from_source.name.clone());
        let Some(source) = sources.get(&id) else {
            if from_source.optional {
                continue;
            }
            return Err(Refused::NoSource(id));
        };
        for (key, value) in &source.data {
            variables.insert(format!("{}{key}", from.prefix), value.clone());
        }
    }
    for variable in &container.env {
        if let Some(value) = value(variable, &variables, sources, given)? {
            variables.insert(variable.name.clone(), value);
        }
    }
    for (name, value) in &given.services {
        let free = variables.entry(name.clone());
        free.or_insert_with(|| value.clone());
    }
    Ok(variables)
}

/// The value of an entry of `env`; `None` where it leaves its variable as it was.
fn value(
    variable: &EnvVar,
    before: &BTreeMap<String, String>,
    sources: &Sources,
    given: &Given,
) -> Result<Option<String>, Refused> {
    if !variable.value.is_empty() {
        let mapping = |name: &str| {
            let known = before.get(name).or_else(|| given.services.get(name));
            known.cloned().unwrap_or_else(|| reference(name))
        };
        return Ok(Some(expand(&variable.value, mapping)));
    }
    match &variable.value_from {
        Some(ValueFrom {
            field_ref: Some(field),
            ..
        }) => Ok(Some(given.field(field))),
        Some(ValueFrom {
            config_map_key_ref: Some(key),
            ..
        }) => of_key(Kind::ConfigMap, key, sources),
        Some(ValueFrom {
            secret_key_ref: Some(key),
            ..
        }) => of_key(Kind::Secret, key, sources),
        Some(ValueFrom {
            file_key_ref: Some(file),
            ..
        }) => {
            let key = (
                file.volume_name.clone(),
                file.path.clone(),
                file.key.clone(),
            );
            match given.variables.get(&key).filter(|value| !value.is_empty()) {
                Some(value) => Ok(Some(value.clone())),
                None if file.optional => Ok(None),
                None => Err(Refused::NoVariable(file.key.clone())),
            }
        }
        _ => Ok(Some(String::new())),
    }
}

fn of_key(kind: Kind, from: &KeyRef, sources: &Sources) -> Result<Option<String>, Refused> {
    let id: Id = (kind, from.name.clone());
    let source = sources.get(&id);
    match source.and_then(|source| source.data.get(&from.key)) {
        Some(value) => Ok(Some(value.clone())),
        None if from.optional => Ok(None),
        None if source.is_none() => Err(Refused::NoSource(id)),
        None => Err(Refused::NoKey(id, from.key.clone())),
    }
}

#[cfg(test)]
mod tests;
