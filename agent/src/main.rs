//! The `moorline` command: connects a host that is not in Kubernetes to a service network.
//!
//! One file a verb: each says what it takes, what it does and how it ends. What verbs share stands beside them.

mod agent;
mod cli;
mod completion;
mod definition_file;
mod demo;
mod directories;
mod docs;
mod doctor;
mod embedded;
mod failure;
mod gateway;
mod health;
mod host;
mod hub;
mod installation;
mod lock;
mod logging;
mod management;
mod output;
mod router;
mod service;
mod signals;
mod supervised;
mod token;
mod token_file;
mod tree;

use std::process::ExitCode;

fn main() -> ExitCode {
    completion::answer();
    match cli::Cli::of_process().run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}
