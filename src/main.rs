//! The command line of marie-exporter: reads what is asked for, sets up logging, and hands over to the
//! library.

use std::io::IsTerminal;
use std::process::ExitCode;

use anyhow::Context;
use marie_exporter::collector::COLLECTORS;
use marie_exporter::config::{self, Command, Format, LogConfig};
use marie_exporter::{check, listing, serve};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

fn main() -> ExitCode {
    let collectors: Vec<_> = COLLECTORS.iter().map(|collector| (collector.name, collector.about)).collect();
    match config::parse(std::env::args_os(), |name| std::env::var_os(name), &collectors) {
        Ok(command) => run(command).unwrap_or_else(|error| {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }),
        Err(error) => error.report(),
    }
}

fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Serve(config) => {
            log(&config.log);
            runtime()?.block_on(async { serve::serve(config, serve::shutdown_signal()?).await })?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Check(config, format) => {
            let report = runtime()?.block_on(check::check(&config));
            print(&match format {
                Format::Text => report.to_string(),
                Format::Json => serde_json::to_string_pretty(&report)?,
            });
            Ok(ExitCode::from(report.exit_code()))
        }
        Command::Metrics(format) => {
            print(&listing::listing(format)?);
            Ok(ExitCode::SUCCESS)
        }
        #[cfg(feature = "demo")]
        Command::Demo(config, demo) => {
            log(&config.log);
            runtime()?.block_on(async {
                marie_exporter::demo::run(config, demo, serve::shutdown_signal()?).await
            })?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    // One thread for each lane would do; a second keeps /metrics answering while a large table is encoded.
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context("cannot start the runtime")
}

/// Logs to standard error: the libraries' warnings, and of ours what was asked for.
fn log(log: &LogConfig) {
    let levels = Targets::new()
        .with_default(LevelFilter::WARN)
        .with_target("marie_exporter", LevelFilter::from_level(log.level));
    let registry = tracing_subscriber::registry().with(levels);
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    match log.format {
        Format::Text => registry.with(lines.with_ansi(std::io::stderr().is_terminal())).init(),
        Format::Json => registry.with(lines.json()).init(),
    }
}

/// What a command was asked to print. A closed pipe is no reason to fail.
fn print(text: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stdout(), "{}", text.trim_end());
}
