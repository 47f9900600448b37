//! Work on many threads, results in order, memory bounded.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// How many parcels the fastest thread may be ahead of the slowest: bounds the results that wait to be printed.
const AHEAD: usize = 32;

/// Most items that a thread takes at once: handing over one by one would cost as much as judging a small file.
const PARCEL: usize = 16;

/// The main thread's usual stack: deeply nested input must not overflow a worker's smaller one.
const STACK: usize = 8 << 20;

/// Calls `work` for every item, on as many threads as there are processors, and `print` with the results
/// in the order of the items, on this thread.
pub(super) fn in_order<T: Sync, R: Send>(
    items: &[T],
    work: impl Fn(&T) -> R + Sync,
    mut print: impl FnMut(R),
) {
    let processors = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    // Small enough that no thread is left with the rest of the work at the end.
    let size = (items.len() / (8 * processors)).clamp(1, PARCEL);
    let parcels: Vec<&[T]> = items.chunks(size).collect();
    let threads = processors.min(parcels.len());
    if threads <= 1 {
        items.iter().for_each(|item| print(work(item)));
        return;
    }
    let work = |parcel: usize| parcels[parcel].iter().map(&work).collect::<Vec<R>>();
    let mut print = |parcel: Vec<R>| parcel.into_iter().for_each(&mut print);
    let queue = Queue::default();
    std::thread::scope(|scope| {
        let mut started = 0;
        for _ in 0..threads {
            let worker = std::thread::Builder::new().stack_size(STACK);
            let spawned = worker.spawn_scoped(scope, || {
                while let Some(index) = queue.take(parcels.len()) {
                    queue.finish(index, work(index));
                }
            });
            started += usize::from(spawned.is_ok());
        }
        if started == 0 {
            // No thread to be had: this one does the work.
            while let Some(index) = queue.take(parcels.len()) {
                queue.finish(index, work(index));
                queue.ready().into_iter().for_each(&mut print);
            }
            return;
        }
        let mut printed = 0;
        while printed < parcels.len() {
            let ready = queue.wait();
            printed += ready.len();
            ready.into_iter().for_each(&mut print);
        }
    });
}

struct Queue<R> {
    state: Mutex<State<R>>,
    changed: Condvar,
}

struct State<R> {
    /// The next item to be worked on.
    next: usize,
    /// The next result to be printed.
    printed: usize,
    /// Results that are waiting for an earlier one.
    waiting: BTreeMap<usize, R>,
}

impl<R> Default for Queue<R> {
    fn default() -> Self {
        Self {
            state: Mutex::new(State {
                next: 0,
                printed: 0,
                waiting: BTreeMap::new(),
            }),
            changed: Condvar::new(),
        }
    }
}

impl<R> Queue<R> {
    fn lock(&self) -> MutexGuard<'_, State<R>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The index of an item that nobody works on yet, once it is not too far ahead.
    fn take(&self, len: usize) -> Option<usize> {
        let mut state = self.lock();
        while state.next < len && state.next >= state.printed + AHEAD {
            state = self
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
        if state.next >= len {
            return None;
        }
        state.next += 1;
        Some(state.next - 1)
    }

    fn finish(&self, index: usize, result: R) {
        let mut state = self.lock();
        state.waiting.insert(index, result);
        if index == state.printed {
            self.changed.notify_all();
        }
    }

    /// The results whose turn it is.
    fn ready(&self) -> Vec<R> {
        let mut state = self.lock();
        let mut ready = Vec::new();
        let first = state.printed;
        while let Some(result) = state.waiting.remove(&(first + ready.len())) {
            ready.push(result);
        }
        state.printed += ready.len();
        self.changed.notify_all();
        ready
    }

    /// As [`Queue::ready`], after waiting for at least one.
    fn wait(&self) -> Vec<R> {
        let mut state = self.lock();
        while state.waiting.first_key_value().map(|(index, _)| *index) != Some(state.printed) {
            state = self
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
        drop(state);
        self.ready()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_order() {
        for count in [0, 1, 2, 1000] {
            let items: Vec<usize> = (0..count).collect();
            let mut seen = Vec::new();
            in_order(
                &items,
                |item| {
                    if item % 97 == 0 {
                        std::thread::sleep(std::time::Duration::from_millis(1));
                    }
                    item * 2
                },
                |result| seen.push(result),
            );
            assert_eq!(seen, items.iter().map(|item| item * 2).collect::<Vec<_>>());
        }
    }
}
