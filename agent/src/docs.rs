//! `moorline docs`: man pages, completions and the reference, made from the command line itself.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::PathBuf;

use anyhow::Context;
use clap::{CommandFactory, Subcommand};
use clap_complete::Shell;

use crate::cli::{Cli, closing};
use crate::completion;
use crate::failure::{Blame, Failure};

/// Write man pages, completions or the reference, for those who package Moorline
#[derive(Debug, Subcommand)]
#[command(after_long_help = closing!(
    "moorline docs man /usr/local/share/man/man1",
    "moorline docs completions bash >~/.local/share/bash-completion/completions/moorline",
))]
pub(crate) enum Command {
    /// Write one man page for each command into a directory
    #[command(after_long_help = closing!("moorline docs man /usr/local/share/man/man1"))]
    Man {
        /// Made if it does not exist
        #[arg(value_name = "DIR")]
        dir: PathBuf,
    },
    /// Write a shell's completions to stdout
    ///
    /// The script asks the program by the name that it was called by, so that names of gateways and services are offered as
    /// they are: it must be on the PATH, or be called by its path here. `skupper docs completions` is for that link.
    #[command(after_long_help = closing!(
        "moorline docs completions bash >~/.local/share/bash-completion/completions/moorline",
    ))]
    Completions {
        /// For which shell
        #[arg(value_name = "SHELL", value_enum)]
        shell: Shell,
    },
    /// Write the help of every command to stdout, as Markdown
    #[command(after_long_help = closing!("moorline docs reference >docs/reference.md"))]
    Reference,
}

/// Characters of a line.
const WIDTH: usize = 100;

/// The help of every command that `--help` leads to.
fn reference() -> String {
    let mut text = "# Reference\n\nThe help of every command, written by `moorline docs reference`.\n".to_owned();
    let mut root = Cli::command().term_width(WIDTH);
    root.build();
    append(&mut text, &mut root);
    text
}

fn append(text: &mut String, command: &mut clap::Command) {
    let name = command.get_bin_name().unwrap_or(command.get_name()).to_owned();
    let help = command.render_long_help().to_string();
    let lines: Vec<&str> = help.lines().map(str::trim_end).collect();
    let _ = write!(text, "\n## {name}\n\n```text\n{}\n```\n", lines.join("\n").trim_end());
    for below in command.get_subcommands_mut().filter(|command| !command.is_hide_set() && command.get_name() != "help")
    {
        append(text, below);
    }
}

impl Command {
    pub(crate) fn run(self) -> Result<(), Failure> {
        match self {
            Self::Man { dir } => {
                let written = fs::create_dir_all(&dir).and_then(|()| clap_mangen::generate_to(Cli::command(), &dir));
                written.with_context(|| format!("write man pages to {}", dir.display())).or_runtime()
            }
            Self::Completions { shell } => {
                let mut script = Vec::new();
                let written = completion::script(&shell.to_string(), &mut script);
                let written = written.and_then(|()| io::Write::write_all(&mut io::stdout(), &script));
                written.context("write completions").or_runtime()
            }
            Self::Reference => {
                let written = io::Write::write_all(&mut io::stdout(), reference().as_bytes());
                written.context("write the reference").or_runtime()
            }
        }
    }
}
