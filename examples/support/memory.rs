//! What the process takes of the memory.

/// Bytes at the peak so far, pages of mapped files among them (`VmHWM`); nothing where the system does not tell.
pub(crate) fn peak() -> Option<usize> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let kibibytes = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?.trim().strip_suffix("kB")?;
    Some(kibibytes.trim().parse::<usize>().ok()? * 1024)
}
