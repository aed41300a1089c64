//! A dry run: what a submission would come to. Everything is checked as the submission checks it; nothing changes.

use super::{
    Request, WhenFull,
    given::prepare,
    is_full,
    submit::{Judged, judge},
    waited_for,
};
use crate::model::{
    Timestamp, config::Config, facts::Facts, id::JobId, job::Job, spec::JobSpec, state::queued,
};
use crate::ops::{
    called::{Called, called},
    fault::{Code, Fault},
    home::{BrokenConfig, Home},
};
use crate::os::clock::{Clock, SystemClock};
use crate::plan::admit::Full;
use crate::store::Store;
use std::collections::BTreeMap;
use std::rc::Rc;

/// What a submission would come to.
#[derive(Debug)]
pub struct Foreseen {
    /// The jobs that are asked for, in their order.
    pub jobs: Vec<Job>,
    /// Beside each of them the job that has its key, where one has: nothing would be started for it.
    pub existing: Vec<Option<Job>>,
    /// The groups that would be made.
    pub groups: Vec<String>,
    /// Why it would wait for room first.
    pub full: Option<Full>,
    /// What the jobs that would be waited for are called.
    pub names: BTreeMap<JobId, Called>,
}

/// Where a dry run looks: there need not be a root.
pub(super) struct Present {
    pub home: Option<Home>,
    pub config: Config,
    pub facts: Rc<Facts>,
}

impl Present {
    pub fn read() -> Result<Self, Fault> {
        let home = Home::open_existing(BrokenConfig::Stops)?;
        let config = home.as_ref().map(|home| home.config.clone()).unwrap_or_default();
        let facts = home.as_ref().map_or_else(|| Ok(Rc::default()), |home| home.store().read())?;
        Ok(Self { home, config, facts })
    }

    /// What the submission of these would come to.
    pub fn foresee(
        &self,
        request: &Request,
        specs: Vec<JobSpec>,
        when_full: WhenFull,
    ) -> Result<Foreseen, Fault> {
        let Self { home, config, facts } = self;
        let now = SystemClock.now();
        let jobs = foreseen_jobs(request, specs, now)?;
        let Judged { placed, missing, full } = judge(facts, config, request.create_group, &jobs, now)?;
        if let (Some(full), WhenFull::Refuse, Some(home)) = (&full, when_full, home) {
            return Err(is_full(home, facts, full, when_full));
        }
        let existing = placed
            .iter()
            .map(|one| if one.created { Ok(None) } else { facts.job(&one.id) })
            .collect::<Result<_, _>>()?;
        let mut names = BTreeMap::new();
        for dependency in jobs.iter().flat_map(|job| &job.spec.after) {
            if !names.contains_key(&dependency.id) {
                let name = called(facts, std::slice::from_ref(&dependency.id)).pop();
                names.extend(name.map(|name| (dependency.id.clone(), name)));
            }
        }
        Ok(Foreseen { jobs, existing, groups: missing, full, names })
    }
}

fn foreseen_jobs(request: &Request, specs: Vec<JobSpec>, now: Timestamp) -> Result<Vec<Job>, Fault> {
    let id =
        JobId::parse("bg_00000000_dryrun").map_err(|error| Fault::new(Code::Failed, error.to_string()))?;
    let job = |spec| Job { state: queued(request.not_before(now)), ..Job::new(id.clone(), spec, now) };
    Ok(specs.into_iter().map(job).collect())
}

/// What would be submitted, or what is there in its place. Changes nothing.
pub fn foresee(request: &Request, when_full: WhenFull) -> Result<Foreseen, Fault> {
    let present = Present::read()?;
    let (mut spec, _) = prepare(request, &present.config)?;
    spec.after = waited_for(&present.facts, &request.after, &request.after_end)?;
    present.foresee(request, vec![spec], when_full)
}
