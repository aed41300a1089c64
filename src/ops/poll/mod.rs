//! Asking GitHub: once through all jobs that wait for an answer there, then what the answers come to is committed.
//!
//! It runs as a process of its own, so that no command and no alarm waits for the network, and never with the lock of the index.
//! What is sent is committed before and after: an issue whose number was lost to a crash is found by its mark, and not made twice.

mod sent;
mod words;

use super::{
    approval::content,
    home::{BrokenConfig, Home},
};
use crate::exec::local::poller;
use crate::github::{self, Cache, Client, IssueSeen, Refusal};
use crate::model::{
    Timestamp,
    approval::{Asked, Issue, Place, Repository, Waiting},
    event::Event,
    facts::{Damage, Draft, Facts},
    id::JobId,
    job::Job,
    state::Change,
};
use crate::os::{clock::Clock, detach};
use crate::plan::{
    Scope, approve,
    verdict::{self, Finding, Rules, Seen},
};
use crate::store::{Store, polled, root::LAST_POLL};
use chrono::TimeDelta;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::time::Duration;

/// In one go so many jobs are asked for: GitHub takes 80 new issues or comments a minute.
pub const ASKED_MAX: usize = 20;

/// How often one process asks at the most: what is urgent after that waits for the next pass.
const ROUNDS_MAX: usize = 10;

/// No limit of GitHub's is believed to last longer.
const LIMIT_MAX: TimeDelta = TimeDelta::days(1);

/// After so many requests in a row without an answer it is not tried any more: each can take half a minute, and what was found
/// is committed at the end.
const UNREACHED_MAX: usize = 3;

/// After this time no more requests are sent, however slowly they were answered, and what was found is committed.
const ROUND_MAX: Duration = Duration::from_mins(5);

/// GitHub tells times in whole seconds.
const SECOND: TimeDelta = TimeDelta::seconds(1);

/// What is said of those that come later.
const NOT_YET: &str = "many jobs are to be asked for on GitHub, and this one is not yet";
const CHANGED: &str = "its command, folder or variables are not those that were asked about";

/// Asks for all jobs of a root. Nobody hears this process; what it cannot do stands with the jobs.
pub fn run(root: &Path) {
    detach::settle();
    // A root that was removed is not made again.
    if !root.is_dir() {
        return;
    }
    for _ in 0..ROUNDS_MAX {
        let Ok(home) = Home::open_at(root, BrokenConfig::Warns) else { return };
        let Ok(Some(held)) = poller::acquire(&home.root) else { return };
        let went = ask_once(&home);
        drop(held);
        // Who began to wait while the lock was held left it to us.
        let goes_on = match went {
            Some(Went::Asked) => true,
            Some(Went::Idle) => {
                home.store().read().is_ok_and(|facts| is_due(&home, &facts, home.clock.now()))
            }
            None => false,
        };
        if !goes_on {
            return;
        }
    }
}

/// What became of one time.
enum Went {
    /// GitHub was asked.
    Asked,
    /// There was nothing to ask now.
    Idle,
}

/// Asks for all jobs, and commits what it comes to. `None`: it could not be done.
fn ask_once(home: &Home) -> Option<Went> {
    let facts = home.store().read().ok()?;
    let now = home.clock.now();
    let ids: Vec<JobId> = approve::on_github(&facts).map(|(head, _)| head.id.clone()).collect();
    let jobs: Vec<Job> = ids.iter().filter_map(|id| facts.job(id).ok().flatten()).collect();
    // Somebody else may have asked since this process was launched.
    if !is_due(home, &facts, now) {
        return Some(Went::Idle);
    }
    // From here on, whatever comes of it, it is not asked again at once.
    home.root.folder().touch(LAST_POLL).ok()?;
    let found = ask_for_all(home, &jobs, now);
    commit(home, &found).ok().map(|()| Went::Asked)
}

/// Whether GitHub is to be asked now, by a program that may write down what comes of it.
fn is_due(home: &Home, facts: &Facts, now: Timestamp) -> bool {
    let at = approve::poll_at(facts, &home.config.approval, home.polled_at(), now);
    facts.writable().is_ok() && at.is_some_and(|at| at <= now)
}

/// What is kept for the next time.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Kept {
    /// Before when GitHub wants no more requests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    limited_until: Option<Timestamp>,
    #[serde(default)]
    cache: Cache,
}

/// What was found out about a job.
#[derive(Debug)]
struct Found {
    /// As it was then.
    job: Job,
    changes: Vec<Change>,
}

impl Found {
    fn of(job: &Job, changes: Vec<Change>) -> Self {
        Self { job: job.clone(), changes }
    }

    fn hindered(job: &Job, trouble: &str) -> Self {
        Self::of(job, vec![Change::Hinder { trouble: Some(trouble.to_owned()) }])
    }
}

/// Commits what was found, with a whole pass: what is approved can start, and what nobody approved in time fails.
fn commit(home: &Home, found: &[Found]) -> Result<(), crate::pass::PassError> {
    let store = home.store();
    let mut executor = home.local();
    executor.orphan_watchers = true;
    let pass = home.pass(&store, &executor);
    pass.advance(Scope::Poll, &mut |draft| {
        for one in found {
            let _still = push(draft, one)?;
        }
        Ok(())
    })
    .map(drop)
}

/// Adds what was found of a job, if it still waits for that answer. Gives whether it does.
fn push(draft: &mut Draft, found: &Found) -> Result<bool, Damage> {
    let job = draft.facts().job(&found.job.id).ok().flatten();
    let still = job.is_some_and(|job| approve::still_asks(&job, &found.job));
    if still {
        for change in &found.changes {
            draft.push(Event::Changed { id: found.job.id.clone(), change: change.clone() })?;
        }
    }
    Ok(still)
}

/// Asks for all of these, with the waiting ones by repository.
fn ask_for_all(home: &Home, jobs: &[Job], now: Timestamp) -> Vec<Found> {
    let waiting = || jobs.iter().filter_map(|job| Some((job, job.waiting()?)));
    let hinder = |why: &str| waiting().map(|(job, _)| Found::hindered(job, why)).collect();
    // Whose answer counts is unknown until the file is mended.
    if !home.has_sound_config() {
        return hinder("the settings file is wrong, so that nobody knows whose answer counts");
    }
    let mut kept: Kept = polled::read(&home.root);
    // A limit that is longer than any is one of a clock that was set back.
    let is_limit = |until: &Timestamp| *until > now && *until <= now + LIMIT_MAX;
    if let Some(until) = kept.limited_until.filter(is_limit) {
        return hinder(&Refusal::Limited { until }.to_string());
    }
    let token = match github::find(&home.config.approval.github, |name| std::env::var_os(name)) {
        Ok(token) => token,
        Err(error) => return hinder(&error.to_string()),
    };
    let cache = std::mem::take(&mut kept.cache);
    let client = Client::new(&home.config.approval.github, token, cache, &home.clock);
    let mut round = Round::new(home, client, now);
    let mut by_repository: BTreeMap<&Repository, Vec<(&Job, &Waiting, Asking)>> = BTreeMap::new();
    // Those first for which nothing was tried: what is refused each time must not keep them out.
    let (tried, new): (Vec<_>, Vec<_>) =
        waiting().partition(|(_, of)| matches!(of.asked, Asked::Begun { .. }));
    for (job, of) in new.into_iter().chain(tried) {
        if let Some(place) = of.request.on.github() {
            let asking = round.asked(place, job, of);
            by_repository.entry(&place.repository).or_default().push((job, of, asking));
        }
    }
    let found = by_repository.into_iter().flat_map(|(repository, jobs)| round.repository(repository, jobs));
    let found = found.collect();
    round.client.forget_unused();
    let kept = Kept { limited_until: round.limited_until, cache: round.client.cache };
    // Losing it costs requests alone.
    let _ = polled::write(&home.root, &kept);
    found
}

/// The issue on which a job is asked for; none where it is not, since too many were, its time is over, or it waits no more.
type Asking = Result<Option<Issue>, Refusal>;

/// One time through all jobs.
struct Round<'a> {
    home: &'a Home,
    client: Client<'a>,
    now: Timestamp,
    /// When it began, by the clock that nobody sets.
    began: Duration,
    /// Before when GitHub wants no more requests.
    limited_until: Option<Timestamp>,
    /// Why nothing more is asked, where the answer would be the same whatever it is.
    over: Option<Refusal>,
    /// How many requests in a row had no answer.
    unreached: usize,
    /// For how many jobs it was asked.
    asked: usize,
    /// Where nothing can be asked.
    closed: HashMap<Place, Refusal>,
    /// Who may write to which repository, as far as it was asked.
    writers: HashMap<(Repository, String), Result<bool, Refusal>>,
}

/// What a job comes to whose issue is to be looked at.
struct Looked<'j> {
    job: &'j Job,
    waiting: &'j Waiting,
    issue: Issue,
    changes: Vec<Change>,
}

impl<'a> Round<'a> {
    fn new(home: &'a Home, client: Client<'a>, now: Timestamp) -> Self {
        Self {
            home,
            client,
            now,
            began: home.clock.monotonic(),
            limited_until: None,
            over: None,
            unreached: 0,
            asked: 0,
            closed: HashMap::new(),
            writers: HashMap::new(),
        }
    }

    /// Looks after the jobs that wait on one repository.
    fn repository(&mut self, repository: &Repository, jobs: Vec<(&Job, &Waiting, Asking)>) -> Vec<Found> {
        let mut found = Vec::new();
        let mut looked = Vec::new();
        for (job, waiting, asking) in jobs {
            match asking {
                Ok(Some(issue)) => looked.push(Looked { job, waiting, issue, changes: Vec::new() }),
                // What nobody can answer in time any more is not asked.
                Ok(None) if approve::is_over(waiting, self.now) => {}
                Ok(None) => found.push(Found::hindered(job, NOT_YET)),
                Err(refusal) => found.push(Found::hindered(job, &refusal.to_string())),
            }
        }
        found.extend(self.look(repository, looked));
        found
    }

    /// What an answer, or that there was none, means for the requests that were to follow.
    fn heed<T>(&mut self, answer: &Result<T, Refusal>) {
        match answer {
            Err(Refusal::Limited { until }) => self.limited_until = self.limited_until.max(Some(*until)),
            Err(refusal @ (Refusal::BadToken | Refusal::NotBuilt)) => self.over = Some(refusal.clone()),
            Err(refusal @ Refusal::Unreachable(_)) => {
                self.unreached += 1;
                if self.unreached >= UNREACHED_MAX {
                    self.over = Some(refusal.clone());
                }
            }
            _ => self.unreached = 0,
        }
    }

    /// Whether more requests may be sent.
    fn goes_on(&self) -> Result<(), Refusal> {
        if let Some(until) = self.limited_until {
            return Err(Refusal::Limited { until });
        }
        if let Some(refusal) = &self.over {
            return Err(refusal.clone());
        }
        if self.home.clock.monotonic().saturating_sub(self.began) > ROUND_MAX {
            return Err(Refusal::Unreachable(
                "it answers too slowly, and is asked for the rest later".into(),
            ));
        }
        Ok(())
    }

    /// Looks at the issues of these jobs: one request for all that have the label, and one for each of the others.
    fn look(&mut self, repository: &Repository, looked: Vec<Looked<'_>>) -> Vec<Found> {
        let Some(since) = looked.iter().map(|one| one.issue.asked_at - SECOND).min() else {
            return Vec::new();
        };
        let label = self.home.config.approval.labels.waiting.clone();
        let all = self.goes_on().and_then(|()| self.client.issues(repository, &label, since));
        self.heed(&all);
        let all = match all {
            Ok(all) => all,
            Err(refusal) => {
                let why = refusal.to_string();
                return looked.iter().map(|one| Found::hindered(one.job, &why)).collect();
            }
        };
        let by_number: HashMap<u64, IssueSeen> = all.into_iter().map(|one| (one.number, one)).collect();
        let mut found = Vec::with_capacity(looked.len());
        for mut one in looked {
            let seen = match by_number.get(&one.issue.number) {
                Some(seen) => Ok(seen.clone()),
                None => self.goes_on().and_then(|()| self.client.issue(repository, one.issue.number)),
            };
            let answer = seen.and_then(|seen| self.answer(repository, &mut one, &seen));
            self.heed(&answer);
            match answer {
                Ok(()) => found.push(Found::of(one.job, one.changes)),
                Err(refusal) => {
                    let mut hindered = Found::hindered(one.job, &refusal.to_string());
                    hindered.changes.splice(0..0, one.changes);
                    found.push(hindered);
                }
            }
        }
        found
    }

    /// What the issue of a job comes to.
    fn answer(
        &mut self,
        repository: &Repository,
        one: &mut Looked<'_>,
        issue: &IssueSeen,
    ) -> Result<(), Refusal> {
        let settings = &self.home.config.approval;
        let rules = Rules {
            labels: &settings.labels,
            approvers: &settings.approvers,
            self_approval: settings.self_approval,
        };
        let mut seen = Seen {
            content: issue.content.clone(),
            labels: issue.labels.clone(),
            is_rejected: issue.is_rejected,
            is_locked: issue.is_locked,
            steps: Vec::new(),
            writers: BTreeMap::new(),
        };
        if one.issue.edited_at.is_none() && verdict::is_edited(&one.issue, &seen) {
            // It stays so, also where the text is put back: what was said meanwhile was said of another.
            one.issue.edited_at = Some(self.now);
            one.changes.push(Change::Ask { asked: Asked::On(one.issue.clone()) });
        }
        let mut unknown = None;
        if verdict::says_something(&settings.labels, &seen) {
            self.goes_on()?;
            seen.steps = self.client.steps(repository, one.issue.number)?;
            for account in verdict::askers(&rules, &seen).into_iter().map(str::to_owned).collect::<Vec<_>>() {
                match self.may_write(repository, &account) {
                    Ok(may) => drop(seen.writers.insert(account, may)),
                    Err(refusal) => unknown = Some(refusal),
                }
            }
        }
        let (by, said_at, is_approved) = match verdict::judge(one.waiting, &one.issue, &seen, &rules) {
            Finding::Open { trouble } => {
                let trouble = match (trouble, unknown) {
                    (Some(trouble), Some(refusal)) => Some(format!("{trouble} ({refusal})")),
                    (trouble, _) => trouble,
                };
                one.changes.push(Change::Hinder { trouble });
                return self.warn(repository, one);
            }
            Finding::Approved { by, at } => (by, at, true),
            Finding::Declined { by, at, .. } => (by, at, false),
        };
        let (at, said_at, note) = (self.now, Some(said_at), None);
        one.changes.push(if !is_approved {
            Change::Decline { at, by, said_at, note }
        } else if content(self.home, one.job).is_ok_and(|hash| hash == one.waiting.request.hash) {
            Change::Approve { at, by, said_at, note }
        } else {
            Change::Hinder { trouble: Some(CHANGED.to_owned()) }
        });
        Ok(())
    }

    fn may_write(&mut self, repository: &Repository, account: &str) -> Result<bool, Refusal> {
        self.goes_on()?;
        let key = (repository.clone(), account.to_owned());
        if let Some(known) = self.writers.get(&key) {
            return known.clone();
        }
        let may = self.client.may_write(repository, account);
        self.heed(&may);
        self.writers.insert(key, may.clone());
        may
    }
}
