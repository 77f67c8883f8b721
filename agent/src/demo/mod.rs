//! `moorline demo`: a whole network on this machine, and a round trip through it.

mod child;
mod echo_server;
mod network;
mod round_trip;

use std::time::Instant;

use anyhow::{Context, bail};
use clap::Args;

use crate::cli::closing;
use crate::failure::{Blame, Failure};
use crate::output::say;
use crate::signals::Signals;
use network::Network;

/// See it work: a hub and two gateways on this machine, and data through them
///
/// Starts three processes of this program, linked over mutual TLS with tokens that the hub issues. One gateway binds a
/// small server, the other one forwards it to a local port; then data goes through that port and back. Ports are chosen
/// free, files are in a temporary directory, and all of it is gone at the end.
#[derive(Debug, Args)]
#[command(after_long_help = closing!(
    "moorline demo",
    "moorline demo --keep",
))]
pub(crate) struct Arguments {
    /// Leave it running until Ctrl-C, and print what to try
    #[arg(long)]
    keep: bool,
}

impl Arguments {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("the system gives no event queue")
            .or_runtime()?;
        runtime.block_on(async {
            let mut signals = Signals::catch().context("signals cannot be caught").or_runtime()?;
            show(self.keep, &mut signals).await.or_runtime()
        })
    }
}

/// Whatever way it ends: dropping the network ends the processes and removes the files.
async fn show(keep: bool, signals: &mut Signals) -> anyhow::Result<()> {
    let begun = Instant::now();
    let network = tokio::select! {
        network = make_round_trip() => network?,
        signal = signals.ending() => bail!("{signal}: the demo was ended"),
    };
    if keep {
        network.show_what_to_try();
        tokio::select! {
            _ = signals.ending() => say("\nending"),
            failure = network.any_ended() => return Err(failure),
        }
    }
    network.end().await?;
    say(format_args!(
        "all three processes ended, nothing is left behind; {:.1} s in all",
        begun.elapsed().as_secs_f64()
    ));
    Ok(())
}

async fn make_round_trip() -> anyhow::Result<Network> {
    say("A hub and two gateways, each a process of this program, linked over mutual TLS:\n");
    let echo = echo_server::start().await.context("the demo's server cannot be started")?;
    let network = Network::start(echo).await?;
    let trip = round_trip::run(network.forward()).await.context("the round trip failed");
    let trip = trip.map_err(|error| network.blame(error))?;
    network.show_status().await?;
    say(format_args!("round trip through two gateways: ok ({trip})"));
    Ok(network)
}
