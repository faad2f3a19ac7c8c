//! What the kernel says of a process: `/proc`.

use std::fs::read_to_string;
use std::time::Duration;

use anyhow::{Context as _, bail};

use crate::Result;

/// Clock ticks in a second as `/proc` counts them: 100 on every Linux.
const TICKS: f64 = 100.0;

/// A running process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Process(pub u32);

impl Process {
    /// The child of `parent` that has this name.
    pub fn child(parent: u32, name: &str) -> Result<Self> {
        let folder = std::fs::read_dir("/proc").context("Linux's /proc is needed")?;
        for entry in folder {
            let Some(pid) = entry?
                .file_name()
                .to_str()
                .and_then(|name| name.parse().ok())
            else {
                continue;
            };
            // One that ended meanwhile is not the one.
            let Ok(stat) = read_to_string(format!("/proc/{pid}/stat")) else {
                continue;
            };
            let wanted = format!("({name})");
            if stat.contains(&wanted) && fields(&stat).nth(1) == Some(&parent.to_string()) {
                return Ok(Self(pid));
            }
        }
        bail!("{parent} has no child called {name}")
    }

    /// Processor time that it has used, in user and system mode.
    pub fn cpu(self) -> Result<Duration> {
        let stat = read_to_string(format!("/proc/{}/stat", self.0))?;
        let mut times = fields(&stat).skip(11).take(2);
        let mut time = || -> Result<f64> { Ok(times.next().context("no time")?.parse()?) };
        let ticks = time()? + time()?;
        Ok(Duration::from_secs_f64(ticks / TICKS))
    }

    /// Resident memory, in bytes.
    pub fn resident(self) -> Result<u64> {
        self.status("VmRSS:")
    }

    /// The most that was resident, in bytes.
    pub fn peak(self) -> Result<u64> {
        self.status("VmHWM:")
    }

    fn status(self, field: &str) -> Result<u64> {
        let status = read_to_string(format!("/proc/{}/status", self.0))?;
        let line = status.lines().find_map(|line| line.strip_prefix(field));
        let kib = line.and_then(|line| line.trim().strip_suffix(" kB"));
        let kib: u64 = kib
            .with_context(|| format!("{} has no {field}", self.0))?
            .parse()?;
        Ok(kib * 1024)
    }
}

/// The fields of `/proc/<pid>/stat` from the state on: the name before it may hold anything.
fn fields(stat: &str) -> impl Iterator<Item = &str> {
    let behind_name = stat.rfind(')').map_or(stat, |end| &stat[end + 1..]);
    behind_name.split_whitespace()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_tells_of_this_process() {
        let own = Process(std::process::id());
        let before = own.cpu().unwrap();
        let mut sum = 0_u64;
        while own.cpu().unwrap() == before {
            sum = sum.wrapping_add(std::hint::black_box(1));
        }
        assert!(sum > 0);
        assert!(own.peak().unwrap() >= own.resident().unwrap() / 2);
        assert!(own.resident().unwrap() > 100_000);
    }

    #[test]
    fn a_name_may_hold_anything() {
        let stat = "12 (a) 3 (b)) S 1 12 12";
        assert_eq!(fields(stat).take(2).collect::<Vec<_>>(), ["S", "1"]);
    }
}
