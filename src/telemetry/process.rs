//! The standard metrics of a process, read from `/proc/self`. Without `/proc` they are left out.

/// Clock ticks per second in `/proc`: 100 on every Linux, whatever the kernel's own rate.
const TICKS_PER_SECOND: f64 = 100.0;

/// Resident memory in bytes.
pub(super) fn resident_memory() -> Option<f64> {
    resident_bytes(&read("/proc/self/status")?)
}

/// Processor time used, in seconds.
pub(super) fn cpu_seconds() -> Option<f64> {
    Some(parse_stat(&read("/proc/self/stat")?)?.cpu_seconds)
}

/// Start of the process, in seconds since 1970.
pub(super) fn start_time() -> Option<f64> {
    let stat = parse_stat(&read("/proc/self/stat")?)?;
    Some(boot_time(&read("/proc/stat")?)? + stat.started_after_boot)
}

fn read(path: &str) -> Option<String> {
    std::fs::read_to_string(path).ok()
}

struct Stat {
    cpu_seconds: f64,
    /// Seconds from the start of the machine to the start of the process.
    started_after_boot: f64,
}

/// Parses `/proc/self/stat`. The command's name, in parentheses, may hold anything, so fields are
/// counted from behind it.
fn parse_stat(text: &str) -> Option<Stat> {
    let fields: Vec<&str> = text.rsplit_once(')')?.1.split_ascii_whitespace().collect();
    // The first field here is the third in proc(5).
    let ticks = |number: usize| fields.get(number - 3)?.parse::<f64>().ok();
    Some(Stat {
        cpu_seconds: (ticks(14)? + ticks(15)?) / TICKS_PER_SECOND,
        started_after_boot: ticks(22)? / TICKS_PER_SECOND,
    })
}

fn resident_bytes(status: &str) -> Option<f64> {
    let kilobytes = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(
        kilobytes
            .trim()
            .strip_suffix("kB")?
            .trim()
            .parse::<f64>()
            .ok()?
            * 1024.0,
    )
}

fn boot_time(stat: &str) -> Option<f64> {
    stat.lines()
        .find_map(|line| line.strip_prefix("btime "))?
        .trim()
        .parse()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stat_counts_from_behind_the_command() {
        let text = "1 (a) b (c) S 0 1 1 0 -1 4194560 1 2 3 4 250 50 7 8 20 0 1 0 12345 1000 2000";
        let stat = parse_stat(text).expect("parses");
        assert_eq!(stat.cpu_seconds, 3.0);
        assert_eq!(stat.started_after_boot, 123.45);
        assert!(parse_stat("").is_none() && parse_stat("1 (a) S").is_none());
    }

    #[test]
    fn memory_and_boot_time() {
        assert_eq!(
            resident_bytes("Name:\ta\nVmRSS:\t   12 kB\n"),
            Some(12288.0)
        );
        assert_eq!(resident_bytes("Name:\ta\n"), None);
        assert_eq!(
            boot_time("cpu 1 2\nbtime 1700000000\n"),
            Some(1_700_000_000.0)
        );
    }
}
