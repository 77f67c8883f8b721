//! `moorline docs`: man pages and completions, made from the command line itself.

use std::fs;
use std::io;
use std::path::PathBuf;

use anyhow::Context;
use clap::{CommandFactory, Subcommand};
use clap_complete::Shell;

use crate::cli::{Cli, closing};
use crate::failure::{Blame, Failure};

/// Write man pages or completions, for those who package Moorline
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
    #[command(after_long_help = closing!(
        "moorline docs completions bash >~/.local/share/bash-completion/completions/moorline",
    ))]
    Completions {
        /// For which shell
        #[arg(value_name = "SHELL", value_enum)]
        shell: Shell,
    },
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
                clap_complete::generate(shell, &mut Cli::command(), "moorline", &mut script);
                io::Write::write_all(&mut io::stdout(), &script).context("write completions").or_runtime()
            }
        }
    }
}
