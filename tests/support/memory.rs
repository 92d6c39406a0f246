//! The memory of a process.

/// What the exporter may need under any of the attacks, in MiB.
pub(crate) const LIMIT: u64 = 64;

/// The most memory that the process has had, in MiB, where the system tells.
pub(crate) fn peak_mib(process: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().trim_end_matches(" kB").parse::<u64>().ok().map(|kib| kib.div_ceil(1024))
}
