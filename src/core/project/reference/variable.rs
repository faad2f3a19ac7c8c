//! Which keys the variables of a container see.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{Place, Selection, Use, required};
use crate::core::project::pod_spec::{Container, EnvVar};
use crate::kinds::SourceKind;

/// The uses in `env`, one for each variable, and in `envFrom`.
pub(super) fn uses(container: &Container) -> impl Iterator<Item = (SourceKind, &Arc<str>, Use)> {
    let single = container.env.iter().flat_map(|variable| {
        let from = variable.value_from.iter();
        let references = from.flat_map(|from| {
            let config_map = from.config_map_key_ref.iter();
            let secret = from.secret_key_ref.iter();
            let config_map = config_map.map(|reference| (SourceKind::CONFIG_MAP, reference));
            config_map.chain(secret.map(|reference| (SourceKind::SECRET, reference)))
        });
        references.map(|(kind, reference)| {
            let key = &reference.key;
            let use_ = Use {
                place: Place::Env,
                selection: Selection::keys([(Arc::clone(&variable.name), Arc::clone(key))]),
                optional: reference.optional,
                required: required(reference.optional, [key]),
            };
            (kind, &reference.name, use_)
        })
    });
    let whole = container.env_from.iter().flat_map(|from| {
        let config_map = from.config_map_ref.iter();
        let secret = from.secret_ref.iter();
        let config_map = config_map.map(|reference| (SourceKind::CONFIG_MAP, reference));
        let references = config_map.chain(secret.map(|reference| (SourceKind::SECRET, reference)));
        references.map(|(kind, reference)| {
            let use_ = Use {
                place: Place::EnvFrom,
                selection: Selection::Variables {
                    prefix: Arc::clone(&from.prefix),
                    hidden: hidden(&container.env, &from.prefix),
                },
                optional: reference.optional,
                required: Box::default(),
            };
            (kind, &reference.name, use_)
        })
    });
    single.chain(whole)
}

/// The names beginning with the prefix that the container's own `env` sets.
fn hidden(env: &[EnvVar], prefix: &str) -> Box<[Arc<str>]> {
    let set = env.iter().filter(|variable| variable.is_always_set());
    let names = set.map(|variable| &variable.name);
    let hiding: BTreeSet<_> = names.filter(|name| name.starts_with(prefix)).collect();
    hiding.into_iter().cloned().collect()
}
