//! What it was measured on.

use std::fs::read_to_string;
use std::thread::available_parallelism;

use serde::Serialize;

/// A machine.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Machine {
    pub(crate) processor: String,
    pub(crate) cores: usize,
    pub(crate) memory_gib: f64,
    pub(crate) kernel: String,
}

impl Machine {
    /// This one; what can't be told is empty.
    pub(crate) fn here() -> Self {
        let file = |path: &str| read_to_string(path).unwrap_or_default();
        let field = |text: &str, name: &str| {
            let line = text.lines().find(|line| line.starts_with(name));
            let value = line.and_then(|line| line.split_once(':'));
            value.map_or_else(String::new, |(_, value)| value.trim().to_owned())
        };
        let memory = field(&file("/proc/meminfo"), "MemTotal");
        let kib: f64 = memory.trim_end_matches(" kB").parse().unwrap_or_default();
        Self {
            processor: field(&file("/proc/cpuinfo"), "model name"),
            cores: available_parallelism().map_or(0, usize::from),
            memory_gib: (kib / f64::from(1 << 20)).round(),
            kernel: file("/proc/sys/kernel/osrelease").trim().to_owned(),
        }
    }
}
