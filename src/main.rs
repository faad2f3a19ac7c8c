//! The `projsync` command.

use std::process::ExitCode;

use projsync::cli;

/// Gives memory back after the peak of the first lists.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    // Fails only where one is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    cli::main(std::env::args_os().collect()).into()
}
