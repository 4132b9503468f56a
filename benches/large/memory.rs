//! The memory that some work takes at its peak.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use crate::anonymous::anonymous;

const INTERVAL: Duration = Duration::from_millis(2);

/// Works, and watches the anonymous memory of the process meanwhile: its peak in bytes, where the system tells.
///
/// Pages of files that the system keeps in memory do not count: it gives them up when somebody needs the memory.
pub(crate) fn watch<T>(work: impl FnOnce() -> T) -> (T, Option<u64>) {
    /// Ends the watch also when the work panics.
    struct Done<'a>(&'a AtomicBool);

    impl Drop for Done<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }

    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            let mut peak = anonymous();
            while !done.load(Ordering::Relaxed) {
                thread::sleep(INTERVAL);
                peak = peak.max(anonymous());
            }
            peak
        });
        let result = {
            let _done = Done(&done);
            work()
        };
        (result, watcher.join().expect("no panic"))
    })
}
