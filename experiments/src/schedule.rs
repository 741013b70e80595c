//! Independent items in parallel, in a fixed order of results, with progress and a clean stop.
//!
//! Results come back in the order of the items whatever the number of threads. An interrupt lets running items end and
//! starts no more of them.

use std::num::NonZero;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rayon::ThreadPool;
use rayon::prelude::*;

use crate::error::{ExperimentError, Result};
use crate::progress::{Display, Progress};

/// Threads that work on items, and the flag that stops them.
#[derive(Clone)]
pub struct Crew {
    /// Threads at most.
    jobs: usize,
    /// The threads so far: never more than any step had items.
    pool: Arc<Mutex<Option<Arc<ThreadPool>>>>,
    stop: Arc<AtomicBool>,
    /// Where progress is shown.
    pub display: Display,
}

impl Crew {
    /// A crew of at most `jobs` threads (one per processor if `None`). Raising `stop` interrupts it.
    ///
    /// # Errors
    /// If `jobs` is zero.
    pub fn new(jobs: Option<usize>, stop: Arc<AtomicBool>, display: Display) -> Result<Self> {
        let jobs = match jobs {
            Some(jobs) => NonZero::new(jobs).ok_or_else(|| usage("--jobs 0 does nothing".into()))?.get(),
            None => std::thread::available_parallelism().map_or(1, NonZero::get),
        };
        Ok(Self { jobs, pool: Arc::default(), stop, display })
    }

    /// Threads for `items`: as many as there are jobs, but none without an item.
    fn threads(&self, items: usize) -> Result<Arc<ThreadPool>> {
        let wanted = self.jobs.min(items).max(1);
        let mut pool = self.pool.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(enough) = pool.as_ref().filter(|pool| pool.current_num_threads() >= wanted) {
            return Ok(Arc::clone(enough));
        }
        let built = rayon::ThreadPoolBuilder::new()
            .num_threads(wanted)
            .build()
            .map_err(|error| usage(format!("{wanted} threads cannot be started ({error})")))?;
        Ok(Arc::clone(pool.insert(Arc::new(built))))
    }

    /// `work` on every item, results in the order of `items`.
    ///
    /// # Errors
    /// The first error of `work`, or that the crew was interrupted.
    pub fn map<T, R>(&self, label: &'static str, items: &[T], work: impl Fn(&T) -> Result<R> + Sync) -> Result<Vec<R>>
    where
        T: Sync,
        R: Send,
    {
        self.map_kept(label, 0, items, work)
    }

    /// [`Self::map`] on the rest of a step of which `kept` items are done since an earlier command.
    ///
    /// # Errors
    /// See [`Self::map`].
    pub fn map_kept<T, R>(
        &self,
        label: &'static str,
        kept: usize,
        items: &[T],
        work: impl Fn(&T) -> Result<R> + Sync,
    ) -> Result<Vec<R>>
    where
        T: Sync,
        R: Send,
    {
        let progress = Progress::resumed(self.display, label, kept, items.len());
        let done = AtomicUsize::new(kept);
        let results = self.threads(items.len())?.install(|| {
            items
                .par_iter()
                .with_max_len(1)
                .map(|item| {
                    self.check(label, &done, kept + items.len())?;
                    let result = work(item)?;
                    done.fetch_add(1, Ordering::Relaxed);
                    progress.advance();
                    Ok(result)
                })
                .collect::<Result<Vec<R>>>()
        });
        progress.finish();
        results
    }

    /// The same crew without progress, for many small steps.
    #[must_use]
    pub fn quiet(&self) -> Self {
        Self { display: Display::Quiet, ..self.clone() }
    }

    /// Whether someone asked to stop.
    #[must_use]
    pub fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    fn check(&self, unit: &'static str, done: &AtomicUsize, total: usize) -> Result<()> {
        if self.stopped() {
            return Err(ExperimentError::Interrupted { done: done.load(Ordering::Relaxed), total, unit });
        }
        Ok(())
    }
}

fn usage(what: String) -> ExperimentError {
    ExperimentError::Usage { what, next: "choose another --jobs".into() }
}

/// The part of a sharded run: the items whose position is `index` modulo `count`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    /// From 0.
    pub index: usize,
    /// At least 1.
    pub count: usize,
}

impl Shard {
    /// Everything.
    pub const WHOLE: Self = Self { index: 0, count: 1 };

    /// From `I/N`, counted from 1.
    ///
    /// # Errors
    /// If it is not of that form, or I is not within 1 to N.
    pub fn parse(text: &str) -> Result<Self> {
        let wrong = || ExperimentError::Usage {
            what: format!("--shard {text} is not I/N with 1 <= I <= N"),
            next: "write for example --shard 1/4".into(),
        };
        let (index, count) = text.split_once('/').ok_or_else(wrong)?;
        let (index, count): (usize, usize) = (index.parse().map_err(|_| wrong())?, count.parse().map_err(|_| wrong())?);
        if index == 0 || index > count {
            return Err(wrong());
        }
        Ok(Self { index: index - 1, count })
    }

    /// Whether the item at `position` belongs to it.
    #[must_use]
    pub const fn holds(self, position: usize) -> bool {
        position % self.count == self.index
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn crew(jobs: usize) -> Crew {
        Crew::new(Some(jobs), Arc::new(AtomicBool::new(false)), Display::Quiet).unwrap()
    }

    #[test]
    fn keeps_the_order_for_any_number_of_threads() {
        let items: Vec<u64> = (0..200).collect();
        let one = crew(1).map("items", &items, |item| Ok(item * item)).unwrap();
        let three = crew(3).map("items", &items, |item| Ok(item * item)).unwrap();
        assert_eq!(one, three);
        assert_eq!(one[199], 199 * 199);
    }

    #[test]
    fn an_interrupt_says_how_far_it_came() {
        let crew = crew(1);
        let outcome = crew.map("cells", &[1, 2, 3], |item| {
            crew.stop.store(*item == 2, Ordering::Relaxed);
            Ok(*item)
        });
        let message = outcome.unwrap_err().to_string();
        assert!(message.contains("interrupted after 2 of 3 cells") && message.contains("resumes"), "{message}");
    }

    #[test]
    fn there_are_never_more_threads_than_items() {
        let crew = crew(1_000_000);
        for (items, threads) in [(0, 1), (2, 2), (5, 5), (3, 5)] {
            let seen = crew.map("items", &vec![(); items], |()| Ok(rayon::current_num_threads())).unwrap();
            assert!(seen.iter().all(|seen| *seen == threads), "{seen:?}");
            assert_eq!(crew.threads(items).unwrap().current_num_threads(), threads);
        }
    }

    #[test]
    fn no_jobs_are_refused() {
        assert!(Crew::new(Some(0), Arc::new(AtomicBool::new(false)), Display::Quiet).err().unwrap().is_usage());
    }

    #[test]
    fn shards_part_the_items() {
        let parts = [Shard::parse("1/3").unwrap(), Shard::parse("2/3").unwrap(), Shard::parse("3/3").unwrap()];
        for position in 0..10 {
            assert_eq!(parts.iter().filter(|part| part.holds(position)).count(), 1);
        }
        for wrong in ["", "1", "0/2", "3/2", "a/b", "1/0"] {
            assert!(Shard::parse(wrong).unwrap_err().is_usage(), "{wrong}");
        }
    }
}
