//! What the tests know of processes, read from `/proc`.

use std::collections::HashMap;
use std::fs;
use std::time::{Duration, Instant};

/// A process, told from a later one of the same id by its start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Process {
    pub(crate) pid: u32,
    pub(crate) name: String,
    start: String,
}

/// The descendants of a process that run now.
pub(crate) fn descendants(of: u32) -> Vec<Process> {
    let all = running();
    let mut found: Vec<Process> = Vec::new();
    let mut parents = vec![of];
    while let Some(parent) = parents.pop() {
        for (process, ppid) in all.values() {
            if *ppid == parent {
                parents.push(process.pid);
                found.push(process.clone());
            }
        }
    }
    found
}

/// The process of this id.
pub(crate) fn process(pid: u32) -> Option<Process> {
    running().remove(&pid).map(|(process, _)| process)
}

/// Waits until none of these runs any more.
pub(crate) fn await_gone(processes: &[Process]) -> Result<(), String> {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let all = running();
        let left: Vec<&Process> = processes
            .iter()
            .filter(|process| {
                all.get(&process.pid)
                    .is_some_and(|(now, _)| now == *process)
            })
            .collect();
        if left.is_empty() {
            return Ok(());
        }
        if Instant::now() > deadline {
            return Err(format!("these still run: {left:?}"));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// All processes that are not zombies, with their parents, by id.
fn running() -> HashMap<u32, (Process, u32)> {
    let mut all = HashMap::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse().ok())
        else {
            continue;
        };
        // pid (name) state ppid ... start, the 22nd field; a name may hold blanks.
        let stat = fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        let Some((head, tail)) = stat.rsplit_once(") ") else {
            continue;
        };
        let fields: Vec<&str> = tail.split_whitespace().collect();
        let (Some(&state), Some(ppid), Some(start)) = (
            fields.first(),
            fields.get(1).and_then(|ppid| ppid.parse().ok()),
            fields.get(19),
        ) else {
            continue;
        };
        if state != "Z" {
            let name = head.split_once('(').map_or("", |(_, name)| name).to_owned();
            let start = (*start).to_owned();
            all.insert(pid, (Process { pid, name, start }, ppid));
        }
    }
    all
}
