//! `projsync completions`: scripts that complete the command line.

use anyhow::Context as _;
use clap_complete::Shell;
use clap_complete::env::Shells;

use super::exit::Exit;
use super::output::print;

/// The variable by which the scripts ask for candidates.
const VARIABLE: &str = "COMPLETE";

/// For its help.
pub(super) const LONG_ABOUT: &str = "\
Print a script that completes the command line, with the names of workloads, sources and namespaces.

  bash: source <(projsync completions bash)
  zsh:  source <(projsync completions zsh)
  fish: projsync completions fish | source

`kubectl projsync` needs no script: kubectl completes it where `kubectl_complete-projsync` in the PATH is a link to \
`kubectl-projsync`.";

/// Flags of `projsync completions`.
#[derive(Clone, Debug, clap::Args)]
pub struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    pub shell: Shell,
}

/// Prints the script for the command under this name.
///
/// # Errors
/// When it can't be written.
pub fn run(args: &CompletionsArgs, name: &str) -> anyhow::Result<Exit> {
    print(&script(args.shell, name)?)?;
    Ok(Exit::Success)
}

fn script(shell: Shell, name: &str) -> anyhow::Result<String> {
    let shells = Shells::builtins();
    let shell = shell.to_string();
    let completer = shells
        .completer(&shell)
        .context("this shell is not known")?;
    let mut script = Vec::new();
    completer.write_registration(VARIABLE, name, name, name, &mut script)?;
    Ok(String::from_utf8_lossy(&script).into_owned())
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum as _;

    use super::*;

    #[test]
    fn each_shell_has_a_script() {
        for shell in Shell::value_variants() {
            let script = script(*shell, "projsync").unwrap();
            assert!(script.contains("projsync"), "{shell}: {script}");
            assert!(script.contains(VARIABLE), "{shell}: {script}");
        }
    }
}
