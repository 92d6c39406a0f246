//! Memory use of a process.

/// Most memory that the exporter may use under any attack, in MiB.
pub(crate) const LIMIT: u64 = 64;

/// Returns the peak resident memory of the process in MiB; `None` if the system does not report it.
pub(crate) fn peak_mib(process: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().trim_end_matches(" kB").parse::<u64>().ok().map(|kib| kib.div_ceil(1024))
}
