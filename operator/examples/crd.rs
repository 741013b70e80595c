//! Prints the CustomResourceDefinition as YAML; `cargo xtask generate` writes it to `operator/yaml/crd.yaml`.

use std::process::ExitCode;

fn main() -> ExitCode {
    match seatrial_operator::manifest::crd_yaml() {
        Ok(yaml) => {
            print!("{yaml}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("crd: {error}");
            ExitCode::FAILURE
        }
    }
}
