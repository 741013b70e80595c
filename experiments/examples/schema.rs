//! Prints a schema by its name; `cargo xtask generate` writes them into the `schemas` folders.

use std::process::ExitCode;

use seatrial_experiments::schemas::SCHEMAS;

fn main() -> ExitCode {
    let name = std::env::args().nth(1).unwrap_or_default();
    let Some(schema) = SCHEMAS.iter().find(|schema| schema.name == name) else {
        let known: Vec<&str> = SCHEMAS.iter().map(|schema| schema.name).collect();
        eprintln!("schema: there is none called `{name}`; known are: {}", known.join(", "));
        return ExitCode::FAILURE;
    };
    print!("{}", (schema.text)());
    ExitCode::SUCCESS
}
