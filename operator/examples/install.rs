//! Prints everything to install as YAML; `cargo xtask generate` writes it to `operator/yaml/install.yaml`.

use std::process::ExitCode;

use seatrial_operator::manifest::{Settings, install_yaml};

fn main() -> ExitCode {
    match install_yaml(&Settings::default()) {
        Ok(yaml) => {
            print!("{yaml}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("install: {error}");
            ExitCode::FAILURE
        }
    }
}
