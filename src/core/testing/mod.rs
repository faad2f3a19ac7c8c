//! For tests: a small cluster, and objects for it.

use std::sync::Arc;

use jiff::SignedDuration;

use crate::core::object::pod::{Owner, Pod};
use crate::core::project::reference::{Over, Place, Reference, Selection, Use};
use crate::core::time::ServerTime;
use crate::kinds::{Class, SourceId, SourceKind};

mod world;

pub(crate) use world::World;

pub(crate) const NAMESPACE: &str = "shop";

/// Second `seconds` of the API server's clock.
pub(crate) fn at(seconds: u64) -> ServerTime {
    let start = ServerTime::from_second(1_800_000_000).unwrap();
    start + SignedDuration::from_secs(seconds.try_into().unwrap())
}

pub(crate) fn owner(kind: &str, name: &str, uid: &str) -> Owner {
    Owner {
        group: "apps".into(),
        kind: kind.into(),
        name: name.into(),
        uid: uid.into(),
    }
}

pub(crate) fn config_map(name: &str) -> SourceId {
    SourceId::new(SourceKind::CONFIG_MAP, NAMESPACE, name)
}

/// All keys of a ConfigMap: as files, or as variables where the class is Frozen.
pub(crate) fn reference(name: &str, class: Class, optional: bool) -> Reference {
    let (place, selection) = match class {
        Class::Live => (Place::Volume, Selection::Files),
        Class::Frozen => (
            Place::EnvFrom,
            Selection::Variables {
                prefix: "".into(),
                hidden: Arc::default(),
            },
        ),
    };
    let one = Use {
        place,
        selection,
        optional,
        required: Box::default(),
        over: Over::default(),
    };
    let source = (SourceKind::CONFIG_MAP, name.into());
    Reference::new(source, class, [(one, ["app".into()].into())])
}

/// One key of a ConfigMap as a variable.
pub(crate) fn variable(name: &str, key: &str, optional: bool) -> Reference {
    let key: Arc<str> = key.into();
    let one = Use {
        place: Place::Env,
        selection: Selection::keys([(key.clone(), key.clone())]),
        optional,
        required: if optional { [].into() } else { [key].into() },
        over: Over::default(),
    };
    let source = (SourceKind::CONFIG_MAP, name.into());
    Reference::new(source, Class::Frozen, [(one, ["app".into()].into())])
}

/// A Pod as a list shows it.
pub(crate) fn listed(pod: &Pod) -> Pod {
    let mut pod = pod.clone();
    pod.start.rv = None;
    for container in &mut pod.containers {
        if let Some(started) = &mut container.started {
            started.shown = None;
        }
    }
    pod
}
