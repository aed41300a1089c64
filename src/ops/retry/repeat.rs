//! The repetition of an ended job: what it was asked to do, made ready to be submitted again.

use super::edit::Edited;
use crate::model::{
    approval::{Gate, content_hash},
    dependency::Dependency,
    facts::{Facts, Head},
    id::JobId,
    job::Job,
    key,
    spec::{Command, Input, JobSpec},
};
use crate::ops::{
    fault::{Code, Fault},
    home::Home,
    inside,
    start::{
        command, given,
        input::checked_file,
        submit::{Entry, KeptInput, is_settled},
    },
};
use crate::os::{inherited::Inherited, session};
use crate::plan::pick;
use crate::store::{Store, environments, root::input_name};
use std::collections::HashMap;
use std::collections::hash_map;

/// A job that is to be submitted as the repetition of another.
#[derive(Debug)]
pub struct Repetition {
    /// The other one.
    pub original: JobId,
    /// Whether that is a dead letter, which is dealt with by this.
    pub is_dead_letter: bool,
    /// Whether it runs with the environment of that job; otherwise with its submitter's.
    pub has_its_environment: bool,
    /// What the original waited for.
    pub awaited: Vec<Dependency>,
    /// What is submitted.
    pub entry: Entry,
}

/// Makes the repetition of a job ready, and checks that it could start.
///
/// It is asked for as the original was, but for what belongs to that submission: when it was to start, what it waited
/// for (but of jobs that are repeated together one waits for the other as before), the batch it came with. Only the environment of a dead letter is kept, so that others run with their submitter's.
/// `kept` are the environments that were read before.
pub fn repetition(
    home: &Home,
    facts: &Facts,
    original: Job,
    edited: Option<&Edited>,
    caller: &Inherited,
    kept: &mut HashMap<String, Inherited>,
) -> Result<Repetition, Fault> {
    let id = original.id.clone();
    let awaited = original.spec.after.clone();
    let is_dead_letter = original.end().is_some_and(|end| end.dead_letter);
    let env = original.spec.env.clone().filter(|_| is_dead_letter);
    let has_its_environment = env.is_some();
    // The names of variables that were set by hand say nothing of another environment.
    let variables = if has_its_environment { original.spec.variables.clone() } else { Vec::new() };
    let mut spec = JobSpec {
        env: env.clone(),
        variables,
        after: Vec::new(),
        batch: None,
        retry_of: Some(id.clone()),
        parent: inside::own_job(),
        session: session::terminal(),
        ..original.spec
    };
    if let Some(edited) = edited {
        apply(&mut spec, edited);
    }
    let inherited = match env {
        Some(name) => own(home, &id, name, kept)?,
        None => caller,
    };
    if let Some(gate) = spec.gate.take() {
        given::can_be_asked(&home.config, &gate.on)?;
        let hash = content_hash(&spec, inherited.names());
        spec.gate = Some(Gate { hash, ..gate });
    }
    given::check_directory(spec.cwd.as_path())?;
    if let Command::Argv(argv) = &spec.command {
        command::check(&argv[0], argv.len(), inherited, &spec.cwd)?;
    }
    if let Some(group) = spec.group.as_deref().filter(|name| pick::slots(facts, &home.config, name).is_none())
    {
        return Err(Fault::new(Code::NotFound, format!("there is no group {group} any more"))
            .hint(format!("[groups.{group}] in config.toml makes it again")));
    }
    let input = kept_input(home, &id, &spec.stdin)?;
    let entry = Entry { spec, input, after: Vec::new() };
    Ok(Repetition { original: id, is_dead_letter, has_its_environment, awaited, entry })
}

/// The environment of a dead letter.
fn own<'a>(
    home: &Home,
    id: &JobId,
    name: String,
    kept: &'a mut HashMap<String, Inherited>,
) -> Result<&'a Inherited, Fault> {
    match kept.entry(name) {
        hash_map::Entry::Occupied(found) => Ok(found.into_mut()),
        hash_map::Entry::Vacant(place) => match environments::load(&home.root, place.key()) {
            Ok(inherited) => Ok(place.insert(inherited)),
            Err(error) => {
                // It goes with the last job that had it, such as a retry that somebody else started and that has ended.
                let is_dead = |head: &Head| head.dead_letter;
                if !home.store().read()?.head(id).is_some_and(is_dead) {
                    return Err(is_settled(id));
                }
                let way =
                    format!("bgctl dead clear {id}, and a retry of it runs with the environment of here");
                Err(Fault::from(error).hint(way))
            }
        },
    }
}

/// What is kept beside a job for it to read is copied; a file of its user has to be there still.
fn kept_input(home: &Home, id: &JobId, stdin: &Input) -> Result<Option<KeptInput>, Fault> {
    let Input::File(path) = stdin else { return Ok(None) };
    if path.as_path() == home.root.run_file_path(&input_name(id)) {
        return Ok(Some(KeptInput::Of(id.clone())));
    }
    checked_file(path.as_path()).map(|_| None)
}

/// Puts another command in the place of the one that was. A key that was made of that is made of this.
fn apply(spec: &mut JobSpec, edited: &Edited) {
    let before = key::of_command(&spec.command.to_argv(), &spec.cwd, None);
    spec.command = edited.command.clone();
    spec.display.clone_from(&edited.display);
    if let Some(key) = &mut spec.key {
        let rest = key.text.strip_prefix(&before).filter(|rest| rest.is_empty() || rest.starts_with(':'));
        if let Some(rest) = rest {
            key.text = format!("{}{rest}", key::of_command(&spec.command.to_argv(), &spec.cwd, None));
        }
    }
}
