//! Files that are whole or absent: written beside their place, synchronised, then renamed over it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// Tells temp files of one process apart.
static NEXT: AtomicU64 = AtomicU64::new(0);

/// Writes `bytes` to `path`. On failure nothing half-written remains and a file that was there before is as it was.
///
/// # Errors
/// What the operating system says: no such folder, no permission, disk full.
pub fn write_file(path: &Path, bytes: &[u8]) -> io::Result<()> {
    write_with(path, |file| file.write_all(bytes))
}

pub(crate) fn write_with(path: &Path, write: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<()> {
    let beside = temp_path(path)?;
    let outcome = fill(&beside, write).and_then(|()| fs::rename(&beside, path));
    if outcome.is_err() {
        // The first error is the one to report; the temp file may not even exist.
        let _ = fs::remove_file(&beside);
        return outcome;
    }
    sync_folder(path);
    Ok(())
}

fn fill(beside: &Path, write: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).open(beside)?;
    write(&mut file)?;
    file.sync_all()
}

fn temp_path(path: &Path) -> io::Result<PathBuf> {
    let Some(name) = path.file_name() else {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "the path has no file name"));
    };
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    Ok(path.with_file_name(format!(".{}.{}.{number}.tmp", name.to_string_lossy(), std::process::id())))
}

/// Makes the rename durable where folders can be synchronised; elsewhere it is as durable as the system makes it.
fn sync_folder(path: &Path) {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let _ = File::open(folder).and_then(|folder| folder.sync_all());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn replaces_as_a_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.bin");
        write_file(&path, b"one").unwrap();
        write_file(&path, b"two").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(names(folder.path()), ["a.bin"]);
    }

    #[test]
    fn a_full_disk_leaves_the_old_file_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.bin");
        write_file(&path, b"old").unwrap();
        let full = write_with(&path, |file| {
            file.write_all(b"half of the n")?;
            Err(io::ErrorKind::StorageFull.into())
        });
        assert_eq!(full.unwrap_err().kind(), io::ErrorKind::StorageFull);
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(names(folder.path()), ["a.bin"]);
    }

    #[test]
    fn refuses_a_folder_that_is_not_there() {
        let folder = tempfile::tempdir().unwrap();
        let error = write_file(&folder.path().join("no/a.bin"), b"x").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        assert_eq!(write_file(Path::new("/"), b"x").unwrap_err().kind(), io::ErrorKind::InvalidInput);
    }
}
