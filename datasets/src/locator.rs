//! From a name to a trace: a path if it is one, else an id looked up in folders, else a shipped trace.

use std::path::{Path, PathBuf};

use crate::{Trace, TraceError, read_trace, shipped};

/// Where to look for traces. The environment variable SEATRIAL_TRACES is read by the programs, which hand its folder in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Locator {
    folders: Vec<PathBuf>,
}

/// Where a trace was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Located {
    /// A Parquet file.
    File(PathBuf),
    /// One of [`shipped::IDS`].
    Shipped(&'static str),
}

impl Locator {
    /// A locator that looks in `folders`, in this order, after the path as given and before the shipped traces.
    #[must_use]
    pub fn new(folders: Vec<PathBuf>) -> Self {
        Self { folders }
    }

    /// The id of the trace at `path`: the file name without extension.
    #[must_use]
    pub fn id_of(path: &Path) -> String {
        path.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned())
    }

    /// Where the trace called `name` is: `name` as a path, then `folder/name` and `folder/name.parquet`, then the shipped ones.
    ///
    /// # Errors
    /// [`TraceError::Absent`] with every place that was looked at, [`TraceError::Folder`] if one of them is a folder.
    pub fn resolve(&self, name: &str) -> Result<Located, TraceError> {
        let candidates = self.candidates(name);
        if let Some(file) = candidates.iter().find(|path| path.is_file()) {
            return Ok(Located::File(file.clone()));
        }
        if let Some(id) = shipped::IDS.iter().find(|id| **id == name) {
            return Ok(Located::Shipped(id));
        }
        if let Some(folder) = candidates.iter().find(|path| path.is_dir()) {
            return Err(TraceError::Folder { folder: folder.display().to_string() });
        }
        let mut searched: Vec<String> = candidates.iter().map(|path| path.display().to_string()).collect();
        searched.push(format!("the shipped traces ({})", shipped::IDS.join(", ")));
        Err(TraceError::Absent { name: name.to_owned(), searched: searched.join(", ") })
    }

    /// Finds and reads the trace called `name`.
    ///
    /// # Errors
    /// Those of [`Locator::resolve`] and [`read_trace`].
    pub fn open(&self, name: &str) -> Result<Trace, TraceError> {
        match self.resolve(name)? {
            Located::File(path) => read_trace(&path),
            Located::Shipped(id) => shipped::open(id),
        }
    }

    fn candidates(&self, name: &str) -> Vec<PathBuf> {
        let file_name = format!("{name}.parquet");
        let in_folders = self.folders.iter().flat_map(|folder| [folder.join(name), folder.join(&file_name)]);
        let mut candidates = vec![PathBuf::from(name)];
        for path in in_folders {
            // An absolute path is the same from every folder.
            if !candidates.contains(&path) {
                candidates.push(path);
            }
        }
        candidates
    }
}
