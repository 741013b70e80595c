//! The `seatrial-operator` binary.

use std::process::ExitCode;

use clap::Parser;
use seatrial_operator::cli::{Cli, Command};

fn main() -> ExitCode {
    let cli = Cli::parse();
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    match start(cli.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn start(command: Command) -> anyhow::Result<()> {
    // One thread: the work of a thousand policies is small, and so is the memory of one thread.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    match command {
        Command::Run(args) => Ok(runtime.block_on(seatrial_operator::run::run(&args))?),
        Command::Check(_) => anyhow::bail!("not yet"),
        Command::Manifests(_) => {
            print!("{}", seatrial_operator::manifest::crd_yaml()?);
            Ok(())
        }
        #[cfg(feature = "rehearse")]
        Command::World(args) => Ok(()),
    }
}
