//! A world in a few lines: jobs, what is seen of them, and the time, without a disk, a process or a clock.
//!
//! Every decision goes the way it goes in the program: a draft of the facts, the policies, the index's text, and the
//! facts read from that text again. After each of them the world checks itself, so that every test of a policy is
//! also a test of the rules that hold whatever the policies do.

use bgctl::model::{
    Timestamp,
    approval::{ANSWERS_MAX, Answer, Asked, Gate, Issue, On, Request, Verdict as Answered, Waiting},
    bytes::Bytes,
    calendar::Rhythm,
    claim::{Claim, ExecutorName, Relation, Site},
    config::Config,
    edit::Edit,
    event::{Applied, Event},
    facts::{Damage, Draft, Facts},
    group::GroupChange,
    id::JobId,
    job::Job,
    limit::Limit,
    outcome::{Ending, Exit, Outcome, Why},
    schedule::{DefinedBy, Definition, Missed, Overlap, Schedule, ScheduleChange, Task},
    spec::{Command, JobSpec},
    state::{Change, State},
};
use bgctl::plan::{
    self, Action, Inputs, NewIds, Plan, Scope,
    admit::{self, Admission, Full},
    approve,
    census::{Census, Sighting},
    health::{self, Report, Sights, Verdict},
    pick::{self, Waits},
    recur::{self, Definitions},
    rescue, retain,
};
use chrono::TimeDelta;
use std::cell::Cell;
use std::collections::BTreeMap;

pub struct World {
    pub facts: Facts,
    pub census: Census,
    pub config: Config,
    pub now: Timestamp,
    site: Site,
    ids: Numbered,
    /// What the settings file defines.
    pub definitions: Option<Definitions>,
    /// When GitHub was asked last.
    pub polled_at: Option<Timestamp>,
    /// What is seen beside the index, for its health.
    pub beside: Beside,
    /// Of the last decision.
    pub actions: Vec<Action>,
    pub warnings: Vec<String>,
}

/// What is seen beside the index.
#[derive(Debug, Default)]
pub struct Beside {
    pub last_tick: Option<Timestamp>,
    pub has_alarm: bool,
    pub is_disk_full: bool,
    pub settings: Option<String>,
    pub mistakes: BTreeMap<String, String>,
}

/// Ids that follow from a number.
#[derive(Debug, Default)]
struct Numbered(Cell<u32>);

impl Numbered {
    fn next(&self) -> u32 {
        self.0.set(self.0.get() + 1);
        self.0.get()
    }
}

impl NewIds for Numbered {
    fn new_id(&self, now: Timestamp) -> JobId {
        job("", self.next(), now).id
    }
}

pub fn site(host: &str, boot: &str) -> Site {
    Site { host: host.into(), machine: format!("machine of {host}"), boot: boot.into(), pid_namespace: 1 }
}

/// A fresh job of that name, with an id that follows from a number.
pub fn job(name: &str, number: u32, at: Timestamp) -> Job {
    let letters = |n: u32| bgctl::model::id::ALPHABET[(n % 31) as usize];
    let random: String =
        [1, 31, 961, 29_791, 923_521, 28_629_151].map(|power| letters(number / power)).iter().collect();
    let mut spec = JobSpec::new(Command::Line("true".into()), Bytes::try_from("/").unwrap());
    spec.name = Some(name.to_owned());
    Job::new(JobId::new(at, &random).unwrap(), spec, at)
}

impl World {
    /// An empty index, two slots, nothing seen.
    pub fn new() -> Self {
        Self {
            facts: Facts::default(),
            census: Census::new(),
            config: Config::default(),
            now: "2026-02-13T10:00:00Z".parse().unwrap(),
            site: site("here", "boot-2"),
            ids: Numbered::default(),
            definitions: None,
            polled_at: None,
            beside: Beside::default(),
            actions: Vec::new(),
            warnings: Vec::new(),
        }
    }

    /// So many jobs may run at the same time.
    pub fn slots(mut self, count: usize) -> Self {
        self.config.slots = count;
        self
    }

    /// Submits jobs, all within one millisecond.
    pub fn submit(&mut self, names: &str) {
        for name in names.split_whitespace() {
            self.submit_with(name, |_| {});
        }
    }

    /// Submits one job with something special about it.
    pub fn submit_with(&mut self, name: &str, set: impl FnOnce(&mut Job)) {
        let mut job = job(name, self.ids.next(), self.now);
        set(&mut job);
        self.decide(Scope::Slots, |draft| {
            let admission = admit::admit(draft, job.clone(), job.created_at)?;
            assert_eq!(admission, Admission::Admitted);
            Ok(())
        });
    }

    /// Asks for a job. Gives what came of it.
    pub fn admit(&mut self, name: &str, set: impl FnOnce(&mut Job)) -> Admission {
        let mut job = job(name, self.ids.next(), self.now);
        set(&mut job);
        let (mut admission, now) = (Admission::Taken, self.now);
        self.decide(Scope::Slots, |draft| {
            admission = admit::admit(draft, job.clone(), now)?;
            Ok(())
        });
        admission
    }

    /// Whether the queue takes another submission.
    pub fn room(&self) -> Result<(), Full> {
        admit::room(&self.facts, &self.config.queue)
    }

    /// How many entries wait.
    pub fn waiting(&self) -> usize {
        admit::waiting(&self.facts)
    }

    /// Somebody changes a group.
    pub fn group(&mut self, name: &str, change: &GroupChange) {
        self.decide(Scope::Slots, |draft| {
            draft.push(Event::Grouped { group: name.to_owned(), change: change.clone() }).map(drop)
        });
    }

    /// A job that another machine or an earlier boot runs, or nobody at all.
    pub fn runs_elsewhere(&mut self, name: &str, site: Option<Site>) {
        let now = self.now;
        self.submit_with(name, |job| {
            let claim = site.map(|site| Claim { site, executor: ExecutorName::Local });
            let run = bgctl::model::state::Run {
                started_at: now,
                claim,
                ending: None,
                asked: None,
                paused_at: None,
                stdin_closed_at: None,
            };
            job.state = State::Running(run);
        });
    }

    /// A job that had ended, with an exit code of 0, so many seconds ago; `None`: nobody wrote down when.
    pub fn ended(&mut self, name: &str, seconds_ago: Option<i64>) {
        let now = self.now;
        self.submit_with(name, |job| {
            let at = seconds_ago.map(|seconds| now - TimeDelta::seconds(seconds));
            job.created_at = at.unwrap_or(now);
            job.state = State::Ended(bgctl::model::state::End {
                verdict: bgctl::model::state::Verdict::Completed,
                at,
                started_at: at,
                claim: None,
                outcome: Some(Outcome::bare(Exit::Code(0), job.created_at)),
                ending: None,
                summary: None,
                dead_letter: false,
            });
        });
    }

    /// A schedule whose runs are jobs of its name. Gives what is in the draft.
    pub fn schedule(&mut self, name: &str, every_seconds: u64, set: impl FnOnce(&mut Definition)) {
        let spec = JobSpec::new(Command::Line("true".into()), Bytes::try_from("/").unwrap());
        let mut definition = Definition {
            rhythm: Rhythm::Every { seconds: every_seconds },
            task: Task::Run(Box::new(spec)),
            overlap: Overlap::Skip,
            missed: Missed::Once,
            jitter_seconds: 0,
            restarts: true,
            source: DefinedBy::Command,
        };
        set(&mut definition);
        let now = self.now;
        self.decide(Scope::Slots, |draft| recur::put(draft, name, &definition, now).map(drop));
    }

    /// Any change of a schedule, and what a pass makes of it.
    pub fn change_schedule(&mut self, name: &str, change: &ScheduleChange) {
        let event = Event::Scheduled { schedule: name.to_owned(), change: change.clone() };
        self.decide(Scope::Slots, |draft| draft.push(event.clone()).map(drop));
    }

    /// A schedule as it is.
    #[track_caller]
    pub fn scheduled(&self, name: &str) -> &Schedule {
        &self.facts.schedules()[name]
    }

    /// In how many seconds a schedule runs next, to the next whole one.
    pub fn next_in(&self, name: &str) -> Option<i64> {
        let at = recur::due_at(name, self.scheduled(name))?;
        Some((at - self.now).num_milliseconds().div_euclid(1_000))
    }

    /// Lets time pass in steps of seconds, with a pass whenever the plan asks for one, as an alarm makes it.
    pub fn wakes_for(&mut self, seconds: i64, mut then: impl FnMut(&mut Self)) {
        for _ in 0..seconds {
            self.after(1);
            let jobs = self
                .jobs()
                .iter()
                .any(|job| pick::is_due(&self.facts, self.facts.head(&job.id).unwrap(), self.now));
            if recur::is_any_due(&self.facts, self.now) || jobs {
                self.tick();
            }
            then(self);
        }
    }

    /// What the next ticks see of a job.
    pub fn sees(&mut self, name: &str, sighting: Sighting) {
        let job = self.job(name);
        self.census.note(&job, sighting);
    }

    /// Whether all is well.
    pub fn verdict(&self) -> Verdict {
        health::judge(&self.facts, &self.sights())
    }

    /// What sets the reasons apart why it is not, behind the word: `degraded: dead_letters, failures_in_row s`.
    pub fn health(&self) -> String {
        let Verdict { status, reasons } = self.verdict();
        let keys: Vec<String> = reasons.iter().map(health::Reason::key).collect();
        if keys.is_empty() {
            status.as_str().to_owned()
        } else {
            format!("{}: {}", status.as_str(), keys.join(", "))
        }
    }

    /// All figures.
    pub fn report(&self) -> Report {
        health::report(&self.facts, &self.sights())
    }

    fn sights(&self) -> Sights<'_> {
        Sights {
            census: &self.census,
            now: self.now,
            config: &self.config,
            site: &self.site,
            last_tick: self.beside.last_tick,
            has_alarm: self.beside.has_alarm,
            is_disk_full: self.beside.is_disk_full,
            settings: self.beside.settings.as_deref(),
            mistakes: &self.beside.mistakes,
        }
    }

    /// Lets time pass.
    pub fn after(&mut self, seconds: i64) {
        self.now += TimeDelta::seconds(seconds);
    }

    /// A whole pass, without retention. Gives what follows from it: `launch a, poke b`.
    pub fn tick(&mut self) -> String {
        self.decide(Scope::Whole, |_| Ok(()));
        self.actions_text()
    }

    /// The watcher of a job reports its end.
    pub fn ends(&mut self, name: &str, exit: Exit) {
        let running = self.facts.running().find(|job| job.spec.name.as_deref() == Some(name));
        let id = running.map_or_else(|| self.job(name).id, |job| job.id.clone());
        let outcome = Outcome::bare(exit, self.now);
        self.census.forget(&id);
        self.decide(Scope::Slots, |draft| match draft.facts().job(&id)? {
            Some(job) => rescue::end(draft, &job, outcome.clone()),
            None => Ok(()),
        });
    }

    /// Somebody cancels a job.
    pub fn cancel(&mut self, name: &str) -> Applied {
        self.tell(name, Why::Cancel, None)
    }

    /// A job is told to end.
    pub fn tell(&mut self, name: &str, why: Why, signal: Option<i32>) -> Applied {
        let ending = Ending { why, at: self.now, signal, note: None };
        self.change(name, Change::Decide { ending })
    }

    /// Somebody changes what was asked of a job.
    pub fn edit(&mut self, name: &str, edit: Edit) {
        let event = Event::Edited { id: self.job(name).id, edit };
        self.decide(Scope::Slots, |draft| draft.push(event.clone()).map(drop));
    }

    /// Submits a job that has to be approved, there and within a day, before it runs.
    pub fn submit_gated(&mut self, name: &str, on: &str) {
        self.submit_with(name, |job| gate(job, on, Some(86_400)));
    }

    /// A running job asks for approval of what comes next.
    pub fn asks(&mut self, name: &str, on: &str, ttl_seconds: Option<u64>) -> Applied {
        let request = Request {
            on: On::parse(on).unwrap(),
            at: self.now,
            ttl_seconds,
            reason: Some("what comes next costs money".into()),
            hash: "hash".into(),
        };
        self.change(name, Change::AskApproval { request: Box::new(request) })
    }

    /// A job runs, asks for approval at this machine within a day, and exits with 0.
    pub fn asks_and_exits(&mut self, name: &str) {
        assert_eq!(self.asks(name, "local", Some(86_400)), Applied::Yes);
        self.ends(name, Exit::Code(0));
    }

    /// Ann says yes at this machine.
    pub fn approves(&mut self, name: &str) -> Applied {
        let change = Change::Approve { at: self.now, by: "ann".into(), said_at: None, note: None };
        self.answer(&self.job(name).id, &change)
    }

    /// Ann says no at this machine.
    pub fn declines(&mut self, name: &str, note: Option<&str>) -> Applied {
        let note = note.map(str::to_owned);
        let change = Change::Decline { at: self.now, by: "ann".into(), said_at: None, note };
        self.answer(&self.job(name).id, &change)
    }

    /// Somebody answers at this machine.
    pub fn answer(&mut self, id: &JobId, answer: &Change) -> Applied {
        let now = self.now;
        let mut applied = Applied::Yes;
        self.decide(Scope::Slots, |draft| {
            applied = approve::answer(draft, id, answer.clone(), now)?;
            Ok(())
        });
        applied
    }

    /// GitHub is asked, and has nothing to say.
    pub fn polls(&mut self) -> String {
        self.polls_for(self.now, &[])
    }

    /// GitHub was asked then, and this is what it said, in a pass now. Gives what follows from it.
    pub fn polls_for(&mut self, asked_at: Timestamp, found: &[(&str, Change)]) -> String {
        let found: Vec<(JobId, Change)> =
            found.iter().map(|(name, change)| (self.job(name).id, change.clone())).collect();
        self.is_told(asked_at, &found);
        self.actions_text()
    }

    /// The same for jobs by their ids.
    pub fn is_told(&mut self, asked_at: Timestamp, found: &[(JobId, Change)]) {
        self.polled_at = Some(asked_at);
        self.decide(Scope::Poll, |draft| {
            found
                .iter()
                .cloned()
                .try_for_each(|(id, change)| draft.push(Event::Changed { id, change }).map(drop))
        });
    }

    /// What is true of a job that waits for approval.
    #[track_caller]
    pub fn waiting_of(&self, name: &str) -> Waiting {
        self.job(name).waiting().expect("it waits for approval").clone()
    }

    /// In how many seconds a pass is needed although nothing changes.
    pub fn due_in(&self) -> Option<i64> {
        let at = plan::due::next(&self.facts, &self.config, self.polled_at, self.now)?;
        Some((at - self.now).num_seconds())
    }

    /// In how many seconds GitHub is to be asked.
    pub fn poll_in(&self) -> Option<i64> {
        let at = approve::poll_at(&self.facts, &self.config.approval, self.polled_at, self.now)?;
        Some((at - self.now).num_seconds())
    }

    /// What the index requires of whoever writes it.
    pub fn requires(&self) -> Vec<String> {
        let index: serde_json::Value = serde_json::from_str(&self.facts.to_text(self.now)).unwrap();
        serde_json::from_value(index["requires"].clone()).unwrap_or_default()
    }

    /// Any change, and what a pass makes of it.
    pub fn change(&mut self, name: &str, change: Change) -> Applied {
        let event = Event::Changed { id: self.job(name).id, change };
        let mut applied = Applied::Yes;
        self.decide(Scope::Slots, |draft| {
            applied = draft.push(event.clone())?;
            Ok(())
        });
        applied
    }

    /// Retention. Gives who goes, in that order: `a b`.
    pub fn prune(&mut self) -> String {
        let gone = retain::retain(&self.facts, self.now, &self.config);
        let names: Vec<String> = gone.iter().map(|id| self.name(id)).collect();
        self.decide(Scope::Slots, |draft| {
            for id in &gone {
                assert_eq!(draft.push(Event::Removed { id: id.clone() })?, Applied::Yes);
            }
            Ok(())
        });
        names.join(" ")
    }

    /// All jobs in the order of submission: `a:running b:queued`.
    pub fn states(&self) -> String {
        let words: Vec<String> =
            self.jobs().iter().map(|job| format!("{}:{}", name_of(job), job.status())).collect();
        words.join(" ")
    }

    /// The newest job of that name.
    #[track_caller]
    pub fn job(&self, name: &str) -> Job {
        let head = self.facts.heads().rev().find(|head| head.name.as_deref() == Some(name));
        self.facts.job(&head.expect(name).id).unwrap().unwrap()
    }

    /// Why a job waits.
    pub fn waits(&self, name: &str) -> Option<Waits> {
        pick::why_it_waits(&self.facts, &self.job(name).id, self.now, &self.config, &self.site).unwrap()
    }

    /// The sentence about a job.
    #[track_caller]
    pub fn summary(&self, name: &str) -> String {
        self.job(name).summary().unwrap_or_default().to_owned()
    }

    pub fn jobs(&self) -> Vec<Job> {
        self.facts.jobs(|_| true).unwrap()
    }

    fn name(&self, id: &JobId) -> String {
        self.facts.job(id).unwrap().map(|job| name_of(&job)).unwrap_or_default()
    }

    pub fn actions_text(&self) -> String {
        let words: Vec<String> = self
            .actions
            .iter()
            .map(|action| match action {
                Action::Launch { id } => format!("launch {}", self.name(id)),
                Action::Poke { id } => format!("poke {}", self.name(id)),
                Action::Wake { at } => format!("wake in {} s", (*at - self.now).num_seconds()),
                Action::Evict { id } => format!("evict {}", self.name(id)),
                Action::Retain => "retain".to_owned(),
                Action::Hook => "run hooks".to_owned(),
                Action::Poll => "ask GitHub".to_owned(),
            })
            .collect();
        words.join(", ")
    }

    /// One decision: `first`, then the policies; then the index's text is what is.
    pub fn decide(&mut self, scope: Scope, mut first: impl FnMut(&mut Draft) -> Result<(), Damage>) {
        let before = self.facts.clone();
        let mut draft = Draft::new(before.clone());
        first(&mut draft).unwrap();
        let inputs = Inputs {
            census: &self.census,
            now: self.now,
            config: &self.config,
            site: &self.site,
            executor: ExecutorName::Local,
            ids: &self.ids,
            definitions: self.definitions.as_ref(),
            polled_at: self.polled_at,
        };
        let Plan { actions, warnings } = plan::advance(&mut draft, &inputs, scope);
        (self.actions, self.warnings) = (actions, warnings);
        let (after, events) = draft.into_parts();
        self.facts = read_again(&after, self.now);
        assert_replays(&before, &events, &after, self.now);
        assert_nothing_ended_changes(&before, &self.facts, &events);
        assert_no_answer_is_lost(&before, &self.facts, &events);
        assert_nothing_runs_unapproved(&self.facts);
        self.assert_no_slot_was_taken_twice(&events);
    }

    /// Whoever got a slot of a group found it free. (More may run where the slots became fewer, or in a hand-made index.)
    fn assert_no_slot_was_taken_twice(&self, events: &[Event]) {
        let claimed = events.iter().filter_map(|event| match event {
            Event::Changed { id, change: Change::Claim { .. } } => self.facts.job(id).unwrap(),
            _ => None,
        });
        let here = |claim: &Claim| self.site.relation(&claim.site) == Relation::Same;
        let holds = |job: &&Job| !job.spec.service && job.run().unwrap().claim.as_ref().is_none_or(here);
        for group in claimed.filter(|job| !job.spec.service).map(|job| job.spec.group) {
            let running = self.facts.running().filter(holds).filter(|job| job.spec.group == group).count();
            let name = pick::group_of(group.as_deref());
            let slots = pick::slots(&self.facts, &self.config, name).expect("the group is there");
            assert!(running <= slots, "{running} run in {slots} slots of {name}");
        }
    }
}

pub fn name_of(job: &Job) -> String {
    job.spec.name.clone().unwrap_or_default()
}

/// Makes a job that was just made one that has to be approved before it runs.
pub fn gate(job: &mut Job, on: &str, ttl_seconds: Option<u64>) {
    let not_before = if let State::Queued { not_before, .. } = job.state { not_before } else { None };
    job.spec.gate = Some(Gate { on: On::parse(on).unwrap(), ttl_seconds, hash: "hash".into() });
    *job = Job::not_before(job.id.clone(), job.spec.clone(), job.created_at, not_before);
}

/// It was asked for a job then, on issue 7, by the account of this machine.
pub fn asked_on_issue(asked_at: Timestamp) -> Change {
    let (asked_by, content) = ("robot".to_owned(), "hash of its text".to_owned());
    Change::Ask { asked: Asked::On(Issue { number: 7, asked_at, asked_by, content, edited_at: None }) }
}

/// What was answered, in a few words: `approved by ann on local`.
pub fn answers_of(job: &Job) -> Vec<String> {
    let words = |answer: &Answer| match &answer.by {
        Some(by) => format!("{} by {by} on {}", answer.verdict.as_str(), answer.on),
        None => format!("{} on {}", answer.verdict.as_str(), answer.on),
    };
    job.answers.iter().map(words).collect()
}

/// A limit that somebody set, in seconds.
pub fn limit(seconds: u64) -> Limit {
    Limit { seconds: Some(seconds), source: bgctl::model::limit::Source::Flag }
}

/// Writes facts and reads them again: every job is what it was, and the whole follows the rules.
pub fn read_again(facts: &Facts, now: Timestamp) -> Facts {
    let text = facts.to_text(now);
    let again = Facts::parse(text.clone()).unwrap_or_else(|error| panic!("{error}\n{text}"));
    again.check().unwrap_or_else(|error| panic!("{error}\n{text}"));
    assert_eq!(again.tables(), facts.tables(), "{text}");
    let jobs = |facts: &Facts| facts.jobs(|_| true).unwrap();
    assert_eq!(jobs(&again), jobs(facts), "{text}");
    assert_eq!(again.heads().collect::<Vec<_>>(), facts.heads().collect::<Vec<_>>(), "{text}");
    assert_eq!(again.to_text(now), text);
    again
}

/// The events are the whole change: applied to what was, through their written form, they give what is.
pub fn assert_replays(before: &Facts, events: &[Event], after: &Facts, now: Timestamp) {
    let mut replay = Draft::new(before.clone());
    for event in events {
        let written = serde_json::to_string(event).unwrap();
        let event = serde_json::from_str(&written).unwrap_or_else(|error| panic!("{error}: {written}"));
        assert_eq!(replay.push(event), Ok(Applied::Yes), "{written}");
    }
    assert_eq!(replay.into_parts().0.to_text(now), after.to_text(now));
}

/// Answers stay as they are, the latest of them at least, and only an answer adds one.
fn assert_no_answer_is_lost(before: &Facts, after: &Facts, events: &[Event]) {
    for is in after.jobs(|_| true).unwrap() {
        let mut expected = before.job(&is.id).unwrap().map(|was| was.answers).unwrap_or_default();
        let is_answer = |event: &&Event| {
            let Event::Changed { id, change } = event else { return false };
            let answers =
                matches!(change, Change::Approve { .. } | Change::Decline { .. } | Change::Expire { .. });
            *id == is.id && answers
        };
        let fresh = events.iter().filter(is_answer).count();
        expected.extend(is.answers[is.answers.len() - fresh..].iter().cloned());
        expected.drain(..expected.len().saturating_sub(ANSWERS_MAX));
        assert_eq!(is.answers, expected, "{}", is.id);
    }
}

/// Whatever runs or is about to was approved as often as somebody had to.
fn assert_nothing_runs_unapproved(facts: &Facts) {
    for job in facts.jobs(|head| !head.status.has_ended()).unwrap() {
        let approvals = job.answers.iter().filter(|answer| answer.verdict == Answered::Approved).count();
        let waits_at_the_gate = job.waiting().is_some() && job.execution() == 0;
        let gates = usize::from(job.spec.gate.is_some() && !waits_at_the_gate);
        let asked = job.interruptions as usize + gates;
        assert_eq!(approvals, asked.min(ANSWERS_MAX), "{}", name_of(&job));
        assert_eq!(job.answers.len(), approvals, "whoever is refused has ended");
    }
}

/// What has ended stays as it was, but for a missing end and the sentence, or goes as a whole.
pub fn assert_nothing_ended_changes(before: &Facts, after: &Facts, events: &[Event]) {
    let is: BTreeMap<JobId, Job> =
        after.jobs(|_| true).unwrap().into_iter().map(|job| (job.id.clone(), job)).collect();
    for was in before.jobs(|head| head.status.has_ended()).unwrap() {
        let Some(is) = is.get(&was.id) else {
            assert!(events.contains(&Event::Removed { id: was.id.clone() }), "{} is gone", was.id);
            continue;
        };
        let (old, new) = (was.end().unwrap(), is.end().expect("it has ended"));
        let at = old.at.or(new.at);
        let cleared = Event::Changed { id: was.id.clone(), change: Change::ClearDeadLetter };
        let dead_letter = old.dead_letter && !events.contains(&cleared);
        let kept = bgctl::model::state::End { at, summary: new.summary.clone(), dead_letter, ..old.clone() };
        // The instant of an outcome is that of the end, once somebody knows it.
        let outcome = new.outcome.clone().filter(|_| old.at.is_none());
        let kept = bgctl::model::state::End { outcome: outcome.or(kept.outcome.clone()), ..kept };
        assert_eq!(*new, kept);
        let mut asked = was.spec.clone();
        if events.contains(&Event::KeyExpired { id: was.id.clone() }) {
            asked.key = None;
        }
        assert_eq!((&is.spec, is.attempt, &is.answers), (&asked, was.attempt, &was.answers));
    }
}
