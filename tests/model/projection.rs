//! What a Projection says, and what it remembers.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Second, Told};

fn second_of(time: &Value) -> Option<Second> {
    let time: jiff::Timestamp = time.as_str()?.parse().unwrap();
    Some(time.as_second())
}

/// Up to when a Projection tells of each Pod what it has.
pub(crate) fn stored_until(projection: &Value) -> Second {
    let status = &projection["status"];
    let last = second_of(&status["lastInSync"]["time"]);
    last.unwrap_or_else(|| {
        let references = status["references"].as_array().into_iter().flatten();
        let since = references.filter_map(|reference| {
            let newest = reference["timeline"].as_array()?.last()?;
            second_of(&newest["since"]["time"])
        });
        since.min().map_or(Second::MIN, |second| second - 1)
    })
}

pub(crate) fn told(projection: &Value) -> Told {
    let status = &projection["status"];
    let pods = &status["pods"];
    let count = |name: &str| usize::try_from(pods[name].as_u64().unwrap()).unwrap();
    let not_fresh = pods["notFresh"].as_array().into_iter().flatten();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    Told {
        reason: text(&status["decision"]["reason"]),
        total: count("total"),
        counts: ["fresh", "stale", "refreshing", "unknown"].map(count),
        not_fresh: not_fresh
            .map(|pod| (text(&pod["name"]), text(&pod["state"])))
            .collect::<BTreeMap<_, _>>(),
    }
}
