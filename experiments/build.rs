//! Writes down which revision the binary is built from: provenance is about the program, not about the checkout it runs beside.

use std::process::Command;

/// What the binary consists of; a change elsewhere (the operator's sources, a README) changes no figure.
const SOURCES: [&str; 8] = ["core", "envs", "agents", "datasets", "reports", "experiments", "Cargo.toml", "Cargo.lock"];

fn main() {
    // Commits, and changes of what the binary is built from.
    println!("cargo:rerun-if-changed=../.git/logs/HEAD");
    for source in SOURCES {
        println!("cargo:rerun-if-changed=../{source}");
    }
    println!("cargo:rustc-env=SEATRIAL_REVISION={}", revision());
}

fn revision() -> String {
    let Some(head) = git(&["rev-parse", "HEAD"]) else { return "unknown".to_owned() };
    let status = [&["status", "--porcelain", "--untracked-files=no", "--"], &SOURCES[..]].concat();
    let changed = git(&status).is_none_or(|list| !list.is_empty());
    if changed { format!("{head}+changes") } else { head }
}

fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(["-C", ".."]).args(arguments).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
