//! `hookyard completions`: what makes a shell complete this command line.

use clap::{Command, CommandFactory};
use clap_complete::Shell;

use super::output::Output;
use super::{Cli, Failure};

/// Print the completion script of a shell
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Completions {
    /// The shell that is to complete
    #[arg(value_enum)]
    shell: Shell,
}

const EXAMPLES: &str = "\
Examples:
  hookyard completions bash > ~/.local/share/bash-completion/completions/hookyard
  hookyard completions zsh > ~/.zfunc/_hookyard
  hookyard completions fish > ~/.config/fish/completions/hookyard.fish";

impl Completions {
    /// Prints the script.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn run(self) -> Result<(), Failure> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut shown(Cli::command()), "hookyard", &mut script);
        Output::to_stdout(false).write(&String::from_utf8_lossy(&script))
    }
}

/// The command line without what is not for people: the scripts know nothing of hidden commands.
fn shown(all: Command) -> Command {
    let commands: Vec<Command> =
        all.get_subcommands().filter(|command| !command.is_hide_set()).cloned().collect();
    Command::new("hookyard").version(env!("CARGO_PKG_VERSION")).subcommands(commands)
}
