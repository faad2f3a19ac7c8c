//! Label selectors, with the checks that the API server makes on its own kinds.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, LabelSelectorRequirement};
use kube::core::Selector;

use super::error::PolicyError;

/// Compiles a label selector, if it is valid.
pub(super) fn compile_selector(
    field: &'static str,
    selector: &LabelSelector,
) -> Result<Selector, PolicyError> {
    let invalid = |problem| PolicyError::Selector { field, problem };
    for (key, value) in selector.match_labels.iter().flatten() {
        check_key(key)
            .and_then(|()| check_value(value))
            .map_err(|problem| invalid(format!("matchLabels: {problem}")))?;
    }
    let requirements = selector.match_expressions.iter().flatten();
    for (at, requirement) in requirements.enumerate() {
        check_requirement(requirement)
            .map_err(|problem| invalid(format!("matchExpressions[{at}]: {problem}")))?;
    }
    Selector::try_from(selector.clone()).map_err(|error| invalid(error.to_string()))
}

fn check_requirement(requirement: &LabelSelectorRequirement) -> Result<(), String> {
    check_key(&requirement.key)?;
    let values = requirement.values.as_deref().unwrap_or_default();
    match requirement.operator.as_str() {
        "In" | "NotIn" if values.is_empty() => {
            Err(format!("{} needs at least one value", requirement.operator))
        }
        "In" | "NotIn" => values.iter().try_for_each(|value| check_value(value)),
        "Exists" | "DoesNotExist" if !values.is_empty() => {
            Err(format!("{} takes no values", requirement.operator))
        }
        "Exists" | "DoesNotExist" => Ok(()),
        other => Err(format!(
            "{other:?} is no operator: write In, NotIn, Exists or DoesNotExist"
        )),
    }
}

/// A qualified name: an optional DNS subdomain and `/`, then a name of up to 63 characters.
fn check_key(key: &str) -> Result<(), String> {
    let (prefix, name) = match key.split_once('/') {
        Some((prefix, name)) => (Some(prefix), name),
        None => (None, key),
    };
    let valid = prefix.is_none_or(is_subdomain) && !name.is_empty() && is_label_text(name);
    if !valid {
        return Err(format!("{key:?} is not the name of a label"));
    }
    Ok(())
}

/// A value of a label: empty, or a name of up to 63 characters.
fn check_value(value: &str) -> Result<(), String> {
    if !is_label_text(value) {
        return Err(format!("{value:?} is not the value of a label"));
    }
    Ok(())
}

/// `(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?`, up to 63 characters.
fn is_label_text(text: &str) -> bool {
    text.len() <= 63
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
        && begins_and_ends(text, |b| b.is_ascii_alphanumeric())
}

/// `[a-z0-9]([-a-z0-9]*[a-z0-9])?`, one or more of them with dots between, up to 253
/// characters.
fn is_subdomain(text: &str) -> bool {
    let lower = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    text.len() <= 253
        && text.split('.').all(|part| {
            !part.is_empty()
                && part.bytes().all(|b| lower(b) || b == b'-')
                && begins_and_ends(part, lower)
        })
}

fn begins_and_ends(text: &str, with: impl Fn(u8) -> bool) -> bool {
    let bytes = text.as_bytes();
    bytes.first().is_none_or(|b| with(*b)) && bytes.last().is_none_or(|b| with(*b))
}
