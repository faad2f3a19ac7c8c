//! `projsync completions`: scripts that complete the command line.

use clap::Command;
use clap_complete::{Shell, generate};

use super::exit::Exit;
use super::output::print;

/// For its help.
pub(super) const LONG_ABOUT: &str = "\
Print a script that completes the command line.

  bash: source <(projsync completions bash)
  zsh:  projsync completions zsh > \"${fpath[1]}/_projsync\"
  fish: projsync completions fish | source";

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
pub fn run(args: &CompletionsArgs, mut command: Command, name: &str) -> anyhow::Result<Exit> {
    let mut script = Vec::new();
    generate(args.shell, &mut command, name, &mut script);
    print(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Success)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_shell_completes_each_command() {
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
            let mut script = Vec::new();
            generate(
                shell,
                &mut super::super::command("projsync"),
                "projsync",
                &mut script,
            );
            let script = String::from_utf8(script).unwrap();
            for command in ["status", "tree", "explain"] {
                assert!(script.contains(command), "{shell} {command}");
            }
        }
    }
}
