//! Compares scorings of the same strategies, from finished run folders: what `docs/rescored.md` shows.
//!
//! `cargo run --release -p seatrial-experiments --example rescored -- claims FLUID EVENTS`: the fluid kernel's claims beside the event
//! kernel's.
//! `… -- balancing FOLDER PLACE RUN…`: J under each run's balancing over the run with a shared queue; the figure goes into FOLDER.

use std::path::Path;

use anyhow::bail;
use seatrial_experiments::rescoring::{balanced, balancing_rows, claims, disagreements, summary, table};
use seatrial_reports::figures::{balancing_sensitivity, balancing_table};
use seatrial_reports::write::write_figure;

fn main() -> anyhow::Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["claims", fluid, events] => print_claims(Path::new(fluid), Path::new(events)),
        ["balancing", folder, place, runs @ ..] if !runs.is_empty() => draw_balancing(Path::new(folder), place, runs),
        _ => bail!("write: claims FLUID EVENTS, or: balancing FOLDER PLACE RUN…"),
    }
}

fn print_claims(fluid: &Path, events: &Path) -> anyhow::Result<()> {
    let (fluid, events) = (summary(fluid)?, summary(events)?);
    println!("{}", table("Claims of the fluid kernel", &claims(&fluid, &events)).markdown());
    let turned = disagreements(&fluid, &events);
    if turned.is_empty() {
        println!("No pair that the event kernel shows has the other sign on the fluid kernel.");
    } else {
        println!("{}", table("Shown on events, with the other sign on the fluid kernel", &turned).markdown());
    }
    Ok(())
}

fn draw_balancing(folder: &Path, place: &str, runs: &[&str]) -> anyhow::Result<()> {
    let cells = runs.iter().map(|run| balanced(Path::new(run))).collect::<Result<Vec<_>, _>>()?;
    let rows = balancing_rows(&cells);
    let figure = balancing_sensitivity(place, &rows)?;
    println!("{}\n{}", balancing_table(&rows).markdown(), figure.caption);
    for path in write_figure(folder, &figure)? {
        eprintln!("{}", path.display());
    }
    Ok(())
}
