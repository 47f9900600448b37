//! Time and chance, so that a test can run a night of waiting in a second.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// What time it is, how to wait, and a source of chance for jitter.
pub trait Clock: Send + Sync {
    /// Time since the beginning of 1970, UTC.
    fn now(&self) -> Duration;
    /// Returns once [`Clock::now`] is `until` or later.
    fn wait_until(&self, until: Duration);
    /// Any number.
    fn random(&self) -> u64;
}

/// The clock of the machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Duration {
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
    }

    fn wait_until(&self, until: Duration) {
        std::thread::sleep(until.saturating_sub(self.now()));
    }

    fn random(&self) -> u64 {
        // Every `RandomState` has keys of its own; nothing here needs more than that.
        RandomState::new().build_hasher().finish()
    }
}

/// A span between none and `most`.
pub(super) fn jitter(clock: &dyn Clock, most: Duration) -> Duration {
    let most = u64::try_from(most.as_millis()).unwrap_or(u64::MAX);
    Duration::from_millis(clock.random() % most.saturating_add(1).max(1))
}
