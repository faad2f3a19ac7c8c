//! Circles of files: each uses the next, and the last uses the first.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::Fault;
use crate::tree::Tree;
use crate::uses::Uses;

/// The shortest circle through each file that is on one. Each circle is told once.
pub(crate) fn faults(tree: &Tree, uses: &Uses) -> Vec<Fault> {
    let mut next: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (from, to) in uses.keys() {
        next.entry(*from).or_default().push(*to);
    }
    let mut told = BTreeSet::new();
    let mut faults = Vec::new();
    for start in 0..tree.files.len() {
        let Some(circle) = shortest_circle(start, &next) else {
            continue;
        };
        if told.insert(circle.iter().copied().collect::<BTreeSet<usize>>()) {
            faults.push(fault(tree, uses, &circle));
        }
    }
    faults
}

/// The files of the shortest circle from the start back to it.
fn shortest_circle(start: usize, next: &BTreeMap<usize, Vec<usize>>) -> Option<Vec<usize>> {
    let mut before: BTreeMap<usize, usize> = BTreeMap::new();
    let mut queue = VecDeque::from([start]);
    while let Some(file) = queue.pop_front() {
        for to in next.get(&file).into_iter().flatten() {
            if *to == start {
                let mut circle = vec![file];
                while let Some(earlier) = circle.last().and_then(|last| before.get(last)) {
                    circle.push(*earlier);
                }
                circle.reverse();
                return Some(circle);
            }
            if !before.contains_key(to) {
                before.insert(*to, file);
                queue.push_back(*to);
            }
        }
    }
    None
}

fn fault(tree: &Tree, uses: &Uses, circle: &[usize]) -> Fault {
    let first = circle[0];
    let line = |from: usize, to: usize| uses.get(&(from, to)).copied().unwrap_or(1);
    let followers = circle.iter().copied().skip(1).chain([first]);
    let mut text = "circle of files:".to_owned();
    for (from, to) in circle.iter().copied().zip(followers) {
        let (path, used) = (tree.path(from), tree.path(to));
        text.push_str(&format!(" {path}:{} uses {used};", line(from, to)));
    }
    text.push_str(" move what both ends need into a file below them");
    let second = circle.get(1).copied().unwrap_or(first);
    Fault {
        file: tree.path(first).to_owned(),
        line: line(first, second),
        text,
    }
}
