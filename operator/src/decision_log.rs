//! The decision log on disk: Parquet files that appear whole, in a folder with a size cap.
//!
//! Rows are kept in memory and written as one file every few minutes, at a number of rows, and when the operator stops; a
//! crash loses at most those minutes. Writing is done by a thread of its own, fed by a bounded channel: when the disk is slower
//! than the decisions, rows are dropped and counted, decisions never wait.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use seatrial_core::record::OperatedDecision;
use seatrial_datasets::{operated_files, write_operated};

/// Where the log goes, and how much of it stays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogSettings {
    /// Folder of the files.
    pub folder: PathBuf,
    /// A file is written after this time.
    pub rotate_after: Duration,
    /// A file is written at this number of rows.
    pub rotate_rows: usize,
    /// The oldest files are removed when all of them have more bytes than this.
    pub most_bytes: u64,
}

impl LogSettings {
    /// A file every five minutes or 5,000 rows, 256 MiB in all.
    #[must_use]
    pub const fn in_folder(folder: PathBuf) -> Self {
        Self { folder, rotate_after: Duration::from_secs(300), rotate_rows: 5_000, most_bytes: 256 << 20 }
    }
}

/// Rows that wait for the writing thread, at most.
const MOST_WAITING: usize = 4_096;

/// See the module. Cheap to clone; the first that is closed ends it.
#[derive(Clone)]
pub struct DecisionLog {
    sender: Arc<Mutex<Option<SyncSender<OperatedDecision>>>>,
    thread: Arc<Mutex<Option<JoinHandle<()>>>>,
    counts: Arc<Counts>,
}

/// What became of the rows.
#[derive(Debug, Default)]
pub struct Counts {
    /// Rows in files.
    pub written: AtomicU64,
    /// Rows that were lost: the disk was full or too slow.
    pub dropped: AtomicU64,
    /// Files that could not be written.
    pub failed_files: AtomicU64,
}

impl DecisionLog {
    /// No log: rows are forgotten, as the operator's flags ask.
    #[must_use]
    pub fn off() -> Self {
        Self { sender: Arc::default(), thread: Arc::default(), counts: Arc::default() }
    }

    /// A log in a folder, which is made if it is not there.
    ///
    /// # Errors
    /// If the folder cannot be made.
    pub fn start(settings: LogSettings) -> std::io::Result<Self> {
        std::fs::create_dir_all(&settings.folder)?;
        let (sender, receiver) = sync_channel(MOST_WAITING);
        let counts = Arc::<Counts>::default();
        let own = counts.clone();
        let thread = std::thread::Builder::new().name("decision-log".to_owned()).spawn(move || {
            Writer { settings, counts: own, rows: Vec::new(), since: None }.run(&receiver);
        })?;
        Ok(Self { sender: Arc::new(Mutex::new(Some(sender))), thread: Arc::new(Mutex::new(Some(thread))), counts })
    }

    /// Hands a row over; never waits.
    pub fn append(&self, row: OperatedDecision) {
        let sender = self.sender.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(sender) = sender.as_ref() else { return };
        if let Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) = sender.try_send(row) {
            self.counts.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// What became of the rows.
    #[must_use]
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Writes what is left, and ends.
    pub async fn close(&self) {
        self.sender.lock().unwrap_or_else(PoisonError::into_inner).take();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            let _ = tokio::task::spawn_blocking(move || thread.join()).await;
        }
    }
}

/// The writing thread.
struct Writer {
    settings: LogSettings,
    counts: Arc<Counts>,
    rows: Vec<OperatedDecision>,
    since: Option<Instant>,
}

impl Writer {
    #[expect(clippy::disallowed_methods, reason = "rotation goes by the machine's own clock")]
    fn run(mut self, receiver: &Receiver<OperatedDecision>) {
        loop {
            let left = self
                .since
                .map_or(self.settings.rotate_after, |since| self.settings.rotate_after.saturating_sub(since.elapsed()));
            match receiver.recv_timeout(left) {
                Ok(row) => {
                    self.since.get_or_insert_with(Instant::now);
                    self.rows.push(row);
                    if self.rows.len() >= self.settings.rotate_rows {
                        self.rotate();
                    }
                }
                Err(RecvTimeoutError::Timeout) => self.rotate(),
                Err(RecvTimeoutError::Disconnected) => return self.rotate(),
            }
        }
    }

    fn rotate(&mut self) {
        self.since = None;
        let rows = std::mem::take(&mut self.rows);
        let Some(first) = rows.first() else { return };
        let count = rows.len() as u64;
        let path = self.settings.folder.join(format!("decisions-{:020}.parquet", first.record.at_us));
        match write_operated(&path, &rows, &[("writer", "seatrial-operator")]) {
            Ok(()) => {
                self.counts.written.fetch_add(count, Ordering::Relaxed);
            }
            Err(error) => {
                self.counts.failed_files.fetch_add(1, Ordering::Relaxed);
                self.counts.dropped.fetch_add(count, Ordering::Relaxed);
                tracing::error!(%error, rows = count, "decision log not written, its rows are lost");
            }
        }
        if let Err(error) = keep_newest(&self.settings.folder, self.settings.most_bytes) {
            tracing::warn!(%error, folder = %self.settings.folder.display(), "old decision logs could not be removed");
        }
    }
}

/// Removes the oldest files until the rest has at most `most_bytes`; the newest one stays.
fn keep_newest(folder: &Path, most_bytes: u64) -> std::io::Result<()> {
    let mut left = most_bytes;
    for (age, file) in operated_files(folder)?.iter().rev().enumerate() {
        let bytes = std::fs::metadata(file)?.len();
        if bytes > left && age > 0 {
            left = 0;
            std::fs::remove_file(file)?;
        } else {
            left = left.saturating_sub(bytes);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use seatrial_core::observe::Observation;
    use seatrial_core::record::DecisionRecord;
    use seatrial_core::scaling::policies::Ingredients;
    use seatrial_core::scaling::strategy::StrategySpec;
    use seatrial_core::time::Timestamp;
    use seatrial_datasets::read_operated;

    fn row(second: i64) -> OperatedDecision {
        let workload = seatrial_core::observe::Workload::protocol_p1();
        let autoscaler = StrategySpec::of("hpa").build(&Ingredients { workload: &workload, weights: None }).unwrap();
        let observation = Observation::unknown(Timestamp::from_secs(second), 4);
        let (view, decision) = autoscaler.decide_viewed(observation.now, &observation, &mut autoscaler.initial_state());
        OperatedDecision {
            record: DecisionRecord::new(&view, &decision),
            subject: "shop/web".into(),
            mode: "Shadow".into(),
            decided_by: "fallback".into(),
            observation: observation.clone(),
            replay_from: None,
        }
    }

    fn settings(folder: &Path) -> LogSettings {
        LogSettings { rotate_rows: 10, ..LogSettings::in_folder(folder.join("log")) }
    }

    #[tokio::test]
    async fn rows_are_in_files_when_the_log_is_closed() {
        let folder = tempfile::tempdir().unwrap();
        let log = DecisionLog::start(settings(folder.path())).unwrap();
        for second in 0..25 {
            log.append(row(second));
        }
        log.close().await;
        let files = operated_files(&folder.path().join("log")).unwrap();
        let rows: Vec<usize> = files.iter().map(|file| read_operated(file).unwrap().len()).collect();
        assert_eq!(rows, [10, 10, 5]);
        assert_eq!(log.counts().written.load(Ordering::Relaxed), 25);
        log.append(row(99));
        assert_eq!(log.counts().dropped.load(Ordering::Relaxed), 0, "a closed log forgets");
    }

    #[tokio::test]
    async fn the_oldest_files_make_room() {
        let folder = tempfile::tempdir().unwrap();
        let log = DecisionLog::start(LogSettings { most_bytes: 1, ..settings(folder.path()) }).unwrap();
        for second in 0..30 {
            log.append(row(second));
        }
        log.close().await;
        let files = operated_files(&folder.path().join("log")).unwrap();
        assert_eq!(files.len(), 1);
        assert_eq!(read_operated(&files[0]).unwrap()[0].record.at_us, 20_000_000, "the newest one stays");
    }

    #[tokio::test]
    async fn a_disk_that_refuses_loses_rows_and_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let log = DecisionLog::start(settings(folder.path())).unwrap();
        std::fs::remove_dir(folder.path().join("log")).unwrap();
        for second in 0..10 {
            log.append(row(second));
        }
        log.close().await;
        let counts = log.counts();
        assert_eq!((counts.dropped.load(Ordering::Relaxed), counts.failed_files.load(Ordering::Relaxed)), (10, 1));
    }
}
