//! Which part of a log is whose attempt's.

use crate::exec::local::{
    meta::{AttemptMeta, Meta},
    record::{Attempt, Record},
};
use crate::model::job::Job;
use crate::ops::{
    fault::{Code, Fault},
    home::Home,
};
use crate::store::root::meta_name;

/// Longest execution snapshot that is read.
const META_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// The part of a log that an attempt wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// Where it begins.
    pub from: u64,
    /// Where it ends, once that is known to be so.
    pub to: Option<u64>,
}

/// The part of an attempt. `None`: it has not begun to write.
pub fn part(home: &Home, job: &Job, number: u32) -> Result<Option<Part>, Fault> {
    let later = if job.end().is_none() { None } else { Some(never(job, number)) };
    if number > job.attempt {
        return later.map_or(Ok(None), Err);
    }
    let Some(runs) = home.root.existing_runs()? else { return Ok(None) };
    let record = Record::open(runs, &job.id)?.map(|record| record.attempts()).transpose()?;
    let snapshot = runs.read(&meta_name(&job.id), META_BYTES_MAX)?;
    let snapshot = snapshot.and_then(|text| serde_json::from_slice::<Meta>(&text).ok());
    let (record, snapshot) = (record.as_deref().unwrap_or_default(), snapshot.as_ref());
    let found = find(record, snapshot, executions(job, snapshot, number));
    if found.is_some() || (number == job.attempt && job.end().is_none()) {
        return Ok(found);
    }
    if number == 1 && number == job.attempt {
        // The only attempt: the whole log is its, also where nothing else is known of it.
        return Ok(Some(Part { from: 0, to: None }));
    }
    Err(Fault::new(
        Code::Failed,
        format!("which part of the log of {} is attempt {number}'s is not known any more", job.id),
    )
    .hint(format!("bgctl logs {} shows the whole log", job.id)))
}

fn never(job: &Job, number: u32) -> Fault {
    let had = match job.attempt {
        0 => "never began".to_owned(),
        1 => "had one attempt".to_owned(),
        count => format!("had {count} attempts"),
    };
    Fault::new(Code::WrongState, format!("{} {had}; there is no attempt {number}", job.id))
}

/// The part of the job's present or last execution. `None`: it has not begun to write.
pub fn present_part(home: &Home, job: &Job) -> Result<Option<Part>, Fault> {
    if job.interruptions == 0 {
        return part(home, job, job.attempt);
    }
    let Some(runs) = home.root.existing_runs()? else { return Ok(None) };
    let record = Record::open(runs, &job.id)?.map(|record| record.attempts()).transpose()?;
    Ok(find(record.as_deref().unwrap_or_default(), None, (job.execution(), job.execution())))
}

/// The first and the last execution of an attempt: it has several where it was interrupted to ask for approval.
fn executions(job: &Job, snapshot: Option<&Meta>, number: u32) -> (u32, u32) {
    let told = snapshot.map(|meta| &meta.attempts[..]).unwrap_or_default();
    let told = told.iter().filter(|one| one.attempt == number).map(AttemptMeta::execution);
    let present = (number == job.attempt).then(|| job.execution());
    let all: Vec<u32> = told.chain(present).collect();
    let usual = number;
    (all.iter().copied().min().unwrap_or(usual), all.iter().copied().max().unwrap_or(usual))
}

fn find(record: &[Attempt], snapshot: Option<&Meta>, (first, last): (u32, u32)) -> Option<Part> {
    let written_down =
        |number| snapshot.and_then(|meta| meta.attempts.iter().find(|one| one.execution() == number));
    let began = |one: &&Attempt| one.process.is_some();
    let recorded = |number| record.iter().rev().filter(began).find(|one| one.number == number);
    let from = written_down(first).map(|one| one.log_from).or_else(|| Some(recorded(first)?.log_from))?;
    let next = record.iter().filter(began).find(|one| one.number > last).map(|next| next.log_from);
    Some(Part { from, to: written_down(last).map_or(next, |one| Some(one.log_to)) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::os::process::Identity;

    fn attempt(number: u32, log_from: u64, began: bool) -> Attempt {
        let process = began.then_some(Identity { pid: 9, start: 1 });
        Attempt { number, process, log_from, ..Attempt::default() }
    }

    #[test]
    fn without_a_snapshot_the_record_tells_where_an_attempt_begins_and_where_the_next_one() {
        let record = [attempt(1, 0, true), attempt(2, 40, true), attempt(3, 0, false)];
        assert_eq!(find(&record, None, (1, 1)), Some(Part { from: 0, to: Some(40) }));
        assert_eq!(find(&record, None, (2, 2)), Some(Part { from: 40, to: None }));
        assert_eq!(find(&record, None, (3, 3)), None, "it has not begun");
    }
}
