//! The `seatrial-operator` binary.

use std::process::ExitCode;

use clap::Parser;
use seatrial_operator::cli::{Cli, Command};

fn main() -> ExitCode {
    let cli = Cli::parse();
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info,kube_client=off"));
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
        Command::Check(args) => {
            let report = runtime.block_on(seatrial_operator::check::check(&args))?;
            print!("{report}");
            anyhow::ensure!(report.is_good(), "not everything that `run` needs is there");
            Ok(())
        }
        Command::Manifests(args) => {
            use seatrial_operator::manifest::{Settings, crd_yaml, install_yaml};
            print!("{}", if args.crd { crd_yaml()? } else { install_yaml(&Settings::default())? });
            Ok(())
        }
        #[cfg(feature = "rehearse")]
        Command::World(args) => runtime.block_on(async {
            let stop = seatrial_operator::run::stop_on_signal();
            Ok(seatrial_operator::world::run(args.settings(trace_folders()), stop).await?)
        }),
    }
}

/// Folders in which traces are looked for by id, after the given path and before the shipped ones.
#[cfg(feature = "rehearse")]
#[expect(clippy::disallowed_methods, reason = "the environment is read in main alone")]
fn trace_folders() -> Vec<std::path::PathBuf> {
    std::env::var_os("SEATRIAL_TRACES").map(|folders| std::env::split_paths(&folders).collect()).unwrap_or_default()
}
