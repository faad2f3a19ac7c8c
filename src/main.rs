//! The `projsync` command.

use std::process::ExitCode;

use projsync::cli;

/// This allocator returns memory after the peak of the first lists.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    // This fails only if a provider is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    cli::main(std::env::args_os().collect()).into()
}
