#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;

use super::*;
use crate::Pod;

#[test]
fn the_model_says_what_the_table_says() {
    for case in all() {
        let spec = case.pod();
        let run = |text: &str| Pod::run(spec.clone(), given("pod"), &sources(text)).unwrap();
        let (old, new) = (run(case.before), run(case.after));
        let mut refreshed = old.clone();
        refreshed.refresh_all(&sources(case.after));
        let mut seen = Never;
        for container in spec.all_containers() {
            let name = &container.name;
            let now = if spec.ends_first(name) {
                &old
            } else {
                &refreshed
            };
            if now.seen(name) != new.seen(name) {
                seen = AtStart;
            } else if old.seen(name) != now.seen(name) {
                seen = Live;
            }
        }
        assert_eq!(seen, case.seen, "{}", case.name);
    }
}

#[test]
fn the_table_has_many_cases_and_each_its_name() {
    let all = all();
    let names: BTreeSet<&str> = all.iter().map(|case| case.name).collect();
    assert_eq!(names.len(), all.len());
    assert!(all.len() >= 40, "{}", all.len());
    assert!(all.iter().all(|case| case.before != case.after));
}
