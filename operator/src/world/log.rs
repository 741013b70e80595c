//! What really happened, as CSV: truth to compare with what was scraped, and the pods for a replay in the gym.
//!
//! A row is a stretch of time in which the number of ready pods was constant, at most a slot of the metrics long. The file grows
//! while the world runs; each row is written whole.

use std::fs::File;
use std::io::Write;
use std::path::Path;

use seatrial_core::time::{Span, Timestamp};

use super::WorldError;

/// The columns: model time in microseconds since 1970, the time of the clock at which the end was shown, pods, requests per
/// second, share of bad requests (empty without requests), requests left in the queue.
pub const HEADER: &str = "from_us,until_us,wall_us,ready,requests_per_s,bad_ratio,backlog";

/// A row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Row {
    /// First moment, in model time.
    pub from: Timestamp,
    /// Moment after the last, in model time.
    pub until: Timestamp,
    /// Time of the clock at which `until` was shown.
    pub wall: Timestamp,
    /// Ready pods.
    pub ready: u32,
    /// Requests that arrived.
    pub requests: f64,
    /// Bad ones among them.
    pub bad: f64,
    /// Requests in the queue at the end.
    pub backlog: f64,
}

impl Row {
    fn line(&self) -> String {
        let Self { from, until, wall, ready, requests, bad, backlog } = self;
        let per_s = requests / until.since(*from).as_secs_f64();
        let ratio = if *requests > 0.0 { (bad / requests).to_string() } else { String::new() };
        format!("{},{},{},{ready},{per_s},{ratio},{backlog}\n", from.micros(), until.micros(), wall.micros())
    }
}

/// A log that grows.
#[derive(Debug)]
pub struct Log {
    file: File,
    path: String,
}

impl Log {
    /// Begins one anew.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn create(path: &Path) -> Result<Self, WorldError> {
        let name = path.display().to_string();
        let file = File::create(path).map_err(|source| WorldError::Log { path: name.clone(), source })?;
        let mut log = Self { file, path: name };
        log.append(&format!("{HEADER}\n"))?;
        Ok(log)
    }

    /// Appends `rows`.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn write(&mut self, rows: &[Row]) -> Result<(), WorldError> {
        if rows.is_empty() { Ok(()) } else { self.append(&rows.iter().map(Row::line).collect::<String>()) }
    }

    fn append(&mut self, text: &str) -> Result<(), WorldError> {
        self.file.write_all(text.as_bytes()).map_err(|source| WorldError::Log { path: self.path.clone(), source })
    }
}

/// A line of a log, read.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Entry {
    /// First moment, in model time.
    pub from: Timestamp,
    /// Moment after the last, in model time.
    pub until: Timestamp,
    /// Time of the clock at which `until` was shown.
    pub wall: Timestamp,
    /// Ready pods.
    pub ready: u32,
    /// Requests that arrived, per second.
    pub requests_per_s: f64,
    /// Share of bad ones; `None` without requests.
    pub bad_ratio: Option<f64>,
    /// Requests in the queue at the end.
    pub backlog: f64,
}

/// Reads a log; a last line that is not whole is left out.
///
/// # Errors
/// The first line that is not one of a log.
pub fn read(text: &str) -> Result<Vec<Entry>, WorldError> {
    let whole = &text[..text.rfind('\n').map_or(0, |end| end + 1)];
    let bad = |line: usize, text: &str| WorldError::BadLog { line: line + 1, text: text.to_owned(), expected: HEADER };
    let mut entries = Vec::new();
    for (number, line) in whole.lines().enumerate() {
        if number > 0 {
            entries.push(entry(line).ok_or_else(|| bad(number, line))?);
        } else if line != HEADER {
            return Err(bad(number, line));
        }
    }
    Ok(entries)
}

/// The ready pods of a log, from each of the given times on, in model time: what a replay in the gym is fed with.
#[must_use]
pub fn ready_pods(entries: &[Entry]) -> Vec<(Timestamp, u32)> {
    let mut ready: Vec<(Timestamp, u32)> = Vec::new();
    for entry in entries {
        if ready.last().is_none_or(|(_, last)| *last != entry.ready) {
            ready.push((entry.from, entry.ready));
        }
    }
    ready
}

/// Time of the clock at which a log's first moment was shown, and how much model time passed per time of the clock; `None` if the
/// log is too short to say.
#[must_use]
pub fn origin(entries: &[Entry]) -> Option<(Timestamp, f64)> {
    let (first, last) = (entries.first()?, entries.last()?);
    let wall = last.wall.since(first.wall);
    (wall > Span::ZERO).then(|| {
        let scale = last.until.since(first.until).as_secs_f64() / wall.as_secs_f64();
        (first.wall - Span::from_secs_f64(first.until.since(first.from).as_secs_f64() / scale), scale)
    })
}

fn entry(line: &str) -> Option<Entry> {
    let fields: Vec<&str> = line.split(',').collect();
    let [from, until, wall, ready, requests_per_s, bad_ratio, backlog] = *fields.as_slice() else { return None };
    let time = |text: &str| text.parse().ok().map(Timestamp::from_micros);
    Some(Entry {
        from: time(from)?,
        until: time(until)?,
        wall: time(wall)?,
        ready: ready.parse().ok()?,
        requests_per_s: requests_per_s.parse().ok()?,
        bad_ratio: if bad_ratio.is_empty() { None } else { Some(bad_ratio.parse().ok()?) },
        backlog: backlog.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(from_s: i64, until_s: i64, ready: u32, requests: f64) -> Row {
        Row {
            from: Timestamp::from_secs(from_s),
            until: Timestamp::from_secs(until_s),
            wall: Timestamp::from_secs(1_000) + Span::from_secs(until_s) / 15,
            ready,
            requests,
            bad: requests / 4.0,
            backlog: 2.5,
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("world.csv");
        let mut log = Log::create(&path).unwrap();
        log.write(&[]).unwrap();
        log.write(&[row(0, 15, 4, 300.0), row(15, 20, 4, 0.0)]).unwrap();
        log.write(&[row(20, 30, 5, 100.0)]).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        let entries = read(&format!("{text}30000000,45")).unwrap();
        assert_eq!(entries.len(), 3, "half a line is none");
        let first = Entry {
            from: Timestamp::ZERO,
            until: Timestamp::from_secs(15),
            wall: Timestamp::from_secs(1_001),
            ready: 4,
            requests_per_s: 20.0,
            bad_ratio: Some(0.25),
            backlog: 2.5,
        };
        assert_eq!((entries[0], entries[1].bad_ratio), (first, None));
        assert_eq!(ready_pods(&entries), [(Timestamp::ZERO, 4), (Timestamp::from_secs(20), 5)]);
        let (origin, scale) = origin(&entries).unwrap();
        assert!((origin.since(Timestamp::from_secs(1_000)).as_secs_f64()).abs() < 1e-3 && (scale - 15.0).abs() < 1e-3);
    }

    #[test]
    fn what_is_no_log_is_refused_with_its_line() {
        let message = |text: String| read(&text).unwrap_err().to_string();
        assert!(message("time,rate\n".to_owned()).contains("line 1"));
        assert!(message(format!("{HEADER}\n1,2,3,four,5,,6\n")).contains("line 2"));
        assert!(message(format!("{HEADER}\n1,2,3\n")).contains("`1,2,3`"));
        let nowhere = Log::create(Path::new("/nowhere/at/all.csv")).unwrap_err().to_string();
        assert!(nowhere.contains("/nowhere/at/all.csv") && nowhere.contains("--log"), "{nowhere}");
    }
}
