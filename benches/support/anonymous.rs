//! The memory that a process takes for itself.

/// `RssAnon` of this process in bytes, where the system tells.
///
/// Pages of files that the system keeps in memory do not count: it gives them up when somebody needs the memory.
pub(crate) fn anonymous() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(1024 * kilobytes)
}
