//! A change of an installed gateway: its definition edited, then applied, then the router asked.

use std::fs;
use std::path::Path;

use anyhow::anyhow;
use clap::Args;
use moorline_definition::edit::{self, NewEndpoint};
use moorline_definition::{Definition, GatewayName, LARGEST_FILE, Port, Section};

use super::install::{HowArguments, Planned};
use super::places::ServiceName;
use super::reach::{Asked, Wait, verify};
use super::which::WhichArguments;
use crate::definition_file::{DefinitionFile, Source};
use crate::failure::Failure;
use crate::installation::home::Home;
use crate::installation::read_text;
use crate::installation::record::Record;
use crate::installation::turn::Turn;
use crate::output::{self, Progress};
use crate::service::{announced, known};

/// What every change takes.
#[derive(Debug, Default, Args)]
pub(crate) struct ChangeArguments {
    #[command(flatten)]
    pub(super) which: WhichArguments,

    /// Show the steps, and change nothing
    #[arg(long)]
    pub(super) dry_run: bool,

    #[command(flatten)]
    pub(super) wait: Wait,
}

/// A gateway whose definition is being changed.
pub(super) struct Change {
    /// None: nothing shall be changed.
    turn: Option<Turn>,
    home: Home,
    /// The gateway's definition as it is.
    before: String,
    /// As it shall be.
    text: String,
    definition: Definition,
    source: Source,
}

impl Change {
    /// Begins with the definition of a gateway that is installed.
    pub(super) fn of_installed(arguments: &ChangeArguments) -> Result<Change, Failure> {
        let turn = arguments.turn()?;
        let home = arguments.which.home()?;
        let source = Record::read(&home)?.map(|record| record.options.source).unwrap_or_default();
        if source.compat_1_8 {
            return Err(Failure::Input(anyhow!(
                "the definition of this gateway is read as skupper 1.8 reads it, which this command cannot write: edit {}, \
                 then `moorline gateway apply --compat skupper-1.8`",
                source.file.as_deref().unwrap_or(&home.definition()).display()
            )));
        }
        let Some(before) = read_text(&home.definition())? else {
            return Err(Failure::Input(anyhow!(
                "this gateway has no definition, since none says all that the tool which made it configured: `moorline gateway \
                 apply FILE` gives it one"
            )));
        };
        in_step(&source, &before)?;
        Change::new(turn, home, before.clone(), before, source)
    }

    /// Begins with the definition of a gateway that is not there yet.
    pub(super) fn of_new(arguments: &ChangeArguments, name: &GatewayName, text: String) -> Result<Change, Failure> {
        let turn = arguments.turn()?;
        Change::new(turn, Home::of(name.as_str())?, String::new(), text, Source::default())
    }

    fn new(turn: Option<Turn>, home: Home, before: String, text: String, source: Source) -> Result<Change, Failure> {
        let file = read(&home, &text, &source);
        let Some(definition) = file.definition().cloned() else {
            file.show();
            return Err(Failure::InputShown);
        };
        Ok(Change { turn, home, before, text, definition, source })
    }

    /// The ports and the protocol of a service, as far as a site of the network announces it.
    pub(super) async fn known(&self, service: &ServiceName) -> (Vec<Port>, Option<String>) {
        // A router that does not tell is no reason to fail here.
        let announced = announced(&self.home).await.unwrap_or_default();
        known(&announced, service.name()).map_or((Vec::new(), None), |(ports, protocol)| (ports, Some(protocol)))
    }

    pub(super) fn definition(&self) -> &Definition {
        &self.definition
    }

    /// Adds a service, or changes the one of its name.
    pub(super) fn put(&mut self, section: Section, endpoint: &NewEndpoint) -> Result<(), Failure> {
        let text = edit::put(&self.text, section, endpoint).map_err(|fault| self.fault(&fault))?;
        self.becomes(text)
    }

    /// Takes a service. False: there is none of the name.
    pub(super) fn take(&mut self, section: Section, name: &str) -> Result<bool, Failure> {
        let taken = edit::take(&self.text, section, name).map_err(|fault| self.fault(&fault))?;
        let Some(text) = taken else { return Ok(false) };
        self.becomes(text)?;
        Ok(true)
    }

    /// The definition is to be `text`.
    pub(super) fn becomes(&mut self, text: String) -> Result<(), Failure> {
        let file = read(&self.home, &text, &self.source);
        self.definition = file.definition().cloned().ok_or_else(|| {
            file.show();
            Failure::InputShown
        })?;
        self.text = text;
        Ok(())
    }

    pub(super) fn fault(&self, fault: &edit::EditFault) -> Failure {
        let path = self.source.file.clone().unwrap_or_else(|| self.home.definition());
        Failure::Input(anyhow!("{}: {fault}", path.display()))
    }

    /// Applies it, and asks the router whether `asked` works.
    pub(super) async fn apply(
        self,
        how: &HowArguments,
        arguments: &ChangeArguments,
        asked: &[Asked],
    ) -> Result<(), Failure> {
        self.carry_out(how, arguments, asked, false).await
    }

    /// Applies it, and has the router started anew.
    pub(super) async fn restart(self, arguments: &ChangeArguments) -> Result<(), Failure> {
        self.carry_out(&HowArguments::default(), arguments, &[], true).await
    }

    async fn carry_out(
        self,
        how: &HowArguments,
        arguments: &ChangeArguments,
        asked: &[Asked],
        restart: bool,
    ) -> Result<(), Failure> {
        let chosen = how.choose(&read(&self.home, &self.text, &self.source))?;
        if let Some(site) = chosen.leaves {
            return Err(Failure::Input(anyhow!(
                "gateway not created as existing gateway detected for site: {site}\n\
                 --gateway NAME makes another, `moorline gateway delete` makes room"
            )));
        }
        let gateway = chosen.parts.gateway.clone();
        if chosen.first {
            crate::doctor::before(&chosen.parts)?;
        }
        let mut planned = Planned::of(chosen.parts, chosen.kind, chosen.options).await?;
        if restart {
            planned.restart();
        }
        let Some(turn) = &self.turn else {
            planned.foretell();
            return Ok(());
        };
        let progress = Progress::begin();
        let (contact, notes) = planned.act(turn, |step| progress.tell(step)).await?;
        drop(progress);
        // Later ones are told by `status`.
        if chosen.first {
            notes.iter().for_each(|note| output::warning(note));
        }
        self.write_source();
        verify(&gateway, &contact, &arguments.wait, asked).await
    }

    /// The user's own file gets the same change: it is what the next `apply` reads.
    fn write_source(&self) {
        let Some(file) = self.source.file.as_deref().filter(|file| file.exists()) else { return };
        if self.text == self.before {
            return;
        }
        if let Err(error) = replace(file, &self.text) {
            output::warning(&format!(
                "{}: cannot be written ({error:#}): the next `apply` of it takes this change back",
                file.display()
            ));
        }
    }
}

impl ChangeArguments {
    fn turn(&self) -> Result<Option<Turn>, Failure> {
        if self.dry_run { Ok(None) } else { Turn::take().map(Some) }
    }
}

fn read(home: &Home, text: &str, source: &Source) -> DefinitionFile {
    let name = source.file.clone().unwrap_or_else(|| home.definition()).display().to_string();
    DefinitionFile::of(name, text.as_bytes(), home.certificates(), source.clone(), false)
}

/// Whether the user's file is still what was applied: of two that differ nobody knows which is meant.
fn in_step(source: &Source, applied: &str) -> Result<(), Failure> {
    let Some(file) = &source.file else { return Ok(()) };
    match moorline_bundle::files::read_bounded(file, LARGEST_FILE as u64) {
        Ok(bytes) if bytes != applied.as_bytes() => Err(Failure::Input(anyhow!(
            "{} has changed since it was applied: `moorline gateway apply {0}` first, then this",
            file.display()
        ))),
        // One that is gone has nothing to say.
        _ => Ok(()),
    }
}

/// In one step, and as readable as it was.
fn replace(file: &Path, text: &str) -> anyhow::Result<()> {
    use std::io::Write as _;
    let permissions = fs::metadata(file)?.permissions();
    let mut staged = tempfile::NamedTempFile::new_in(file.parent().unwrap_or(Path::new("/")))?;
    staged.write_all(text.as_bytes())?;
    staged.as_file().set_permissions(permissions)?;
    staged.as_file().sync_all()?;
    staged.persist(file)?;
    Ok(())
}
