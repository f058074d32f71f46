//! Work shared among threads in a way that the result can't depend on their number.

use std::panic::resume_unwind;
use std::thread;

/// Applies `work` to each item and returns the answers in the order of the items.
///
/// Each item is worked on by one thread alone, so nothing depends on how many there are.
pub(super) fn each<T: Send, R: Send>(
    workers: usize,
    items: &mut [T],
    work: impl Fn(&mut T) -> R + Sync,
) -> Vec<R> {
    if workers <= 1 || items.len() <= 1 {
        return items.iter_mut().map(work).collect();
    }
    let share = items.len().div_ceil(workers);
    let work = &work;
    thread::scope(|scope| {
        let mut parts = items.chunks_mut(share);
        let own = parts.next();
        let others: Vec<_> = parts
            .map(|part| scope.spawn(move || part.iter_mut().map(work).collect::<Vec<R>>()))
            .collect();
        let mut answers: Vec<R> = own.into_iter().flatten().map(work).collect();
        for other in others {
            answers.extend(other.join().unwrap_or_else(|panic| resume_unwind(panic)));
        }
        answers
    })
}

/// How many threads the machine offers, at most 8: beyond that the work per thread is too small.
pub(super) fn workers() -> usize {
    thread::available_parallelism().map_or(1, |count| count.get().min(8))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_keep_the_order_whatever_the_number_of_workers() {
        for workers in [1, 2, 3, 7, 50] {
            let mut items: Vec<usize> = (0..20).collect();
            let answers = each(workers, &mut items, |item| {
                *item += 1;
                *item * 10
            });
            assert_eq!(answers, (1..=20).map(|item| item * 10).collect::<Vec<_>>());
            assert_eq!(items, (1..=20).collect::<Vec<_>>());
        }
    }
}
