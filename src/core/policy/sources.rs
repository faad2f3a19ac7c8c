//! The sources that a policy lets count.

use super::error::PolicyError;
use super::glob::Pattern;
use crate::api::sources::{SourceRule, Sources};
use crate::kinds::SourceKind;

/// Decides which sources count.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SourceFilter {
    include: Vec<CompiledRule>,
    exclude: Vec<CompiledRule>,
}

#[derive(Clone, Debug, PartialEq)]
struct CompiledRule {
    kind: Option<SourceKind>,
    name: Option<Pattern>,
}

// === impl SourceFilter ===

impl SourceFilter {
    pub(super) fn compile(sources: &Sources) -> Result<Self, PolicyError> {
        let compile = |list: &str, rules: &[SourceRule]| {
            rules
                .iter()
                .enumerate()
                .map(|(at, rule)| CompiledRule::compile(list, at, rule))
                .collect::<Result<Vec<_>, _>>()
        };
        Ok(Self {
            include: compile("sources.include", &sources.include)?,
            exclude: compile("sources.exclude", &sources.exclude)?,
        })
    }

    /// The sources that one of these rules matches; none where there is no rule.
    pub(super) fn of(list: &str, rules: &[SourceRule]) -> Result<Option<Self>, PolicyError> {
        let compile = |(at, rule)| CompiledRule::compile(list, at, rule);
        let include: Vec<_> = rules
            .iter()
            .enumerate()
            .map(compile)
            .collect::<Result<_, _>>()?;
        Ok((!include.is_empty()).then(|| Self {
            include,
            exclude: Vec::new(),
        }))
    }

    /// Returns whether a source counts.
    #[must_use]
    pub fn admits(&self, kind: SourceKind, name: &str) -> bool {
        let names = |rule: &CompiledRule| rule.names(kind, name);
        (self.include.is_empty() || self.include.iter().any(names))
            && !self.exclude.iter().any(names)
    }
}

// === impl CompiledRule ===

impl CompiledRule {
    fn compile(list: &str, at: usize, rule: &SourceRule) -> Result<Self, PolicyError> {
        let name = rule
            .name
            .as_ref()
            .map(|pattern| {
                Pattern::new(pattern).map_err(|problem| PolicyError::Pattern {
                    field: format!("spec.{list}[{at}].name"),
                    pattern: pattern.clone(),
                    problem,
                })
            })
            .transpose()?;
        Ok(Self {
            kind: rule.kind,
            name,
        })
    }

    fn names(&self, kind: SourceKind, name: &str) -> bool {
        self.kind.is_none_or(|own| own == kind)
            && self
                .name
                .as_ref()
                .is_none_or(|pattern| pattern.matches(name))
    }
}
