//! Writes the generated traces that are shipped: `cargo run -p seatrial-datasets --example write_generated -- FOLDER`.

use std::path::Path;
use std::process::ExitCode;

use seatrial_datasets::{TraceError, recipes, write_trace};

fn main() -> ExitCode {
    let Some(folder) = std::env::args().nth(1) else {
        eprintln!("usage: write_generated FOLDER (of the repository: datasets/traces)");
        return ExitCode::from(2);
    };
    match write_all(Path::new(&folder)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn write_all(folder: &Path) -> Result<(), TraceError> {
    for trace in recipes::IDS.iter().filter_map(|id| recipes::build(id)) {
        let path = folder.join(format!("{}.parquet", trace.id));
        write_trace(&path, &trace)?;
        println!("{} {}", path.display(), trace.content_hash);
    }
    Ok(())
}
