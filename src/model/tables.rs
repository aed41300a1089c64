//! What the index says beside its jobs: groups, schedules, how what has a name has gone, and how much there was altogether.

use super::{
    group::{Group, GroupChange},
    health::{Health, Totals},
    job::Job,
    schedule::{self, Schedule, ScheduleChange},
};
use std::collections::BTreeMap;

/// Names whose history is kept; beyond it the one that ran longest ago goes.
pub const NAMES_MAX: usize = 100;

/// The tables.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tables {
    /// Groups, by name.
    pub groups: BTreeMap<String, Group>,
    /// Schedules, by name.
    pub schedules: BTreeMap<String, Schedule>,
    /// How jobs have gone that were given a name and belong to no schedule, by that name.
    pub names: BTreeMap<String, Health>,
    /// How many jobs there were.
    pub totals: Totals,
}

/// What changing a table did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TableChange {
    /// Something.
    Made,
    /// Nothing: it had been so.
    WasSo,
    /// Nothing, and asking for it was a mistake.
    Refused(&'static str),
}

impl Tables {
    /// Changes a group.
    pub fn change_group(&mut self, name: &str, change: &GroupChange) -> TableChange {
        let before = self.groups.get(name).cloned().unwrap_or_default();
        let mut group = before.clone();
        match change {
            GroupChange::Slots { slots } => group.slots = Some(*slots),
            GroupChange::Pause { at } => group.paused_at = group.paused_at.or(Some(*at)),
            GroupChange::Resume => group.paused_at = None,
            GroupChange::Remove => group = Group::default(),
        }
        if group == before {
            return TableChange::WasSo;
        }
        if group.is_empty() {
            self.groups.remove(name);
        } else {
            self.groups.insert(name.to_owned(), group);
        }
        TableChange::Made
    }

    /// Changes a schedule.
    pub fn change_schedule(&mut self, name: &str, change: &ScheduleChange) -> TableChange {
        let before = self.schedules.get(name).cloned();
        let after = match schedule::change(before.clone(), change) {
            Ok(after) => after,
            Err(why) => return TableChange::Refused(why),
        };
        if after == before {
            return TableChange::WasSo;
        }
        match after {
            None => drop(self.schedules.remove(name)),
            Some(after) => drop(self.schedules.insert(name.to_owned(), after)),
        }
        TableChange::Made
    }

    /// Takes a job into account that has just ended.
    pub fn count_end(&mut self, job: &Job) {
        let Some(end) = job.end() else { return };
        self.totals.add(end);
        match (&job.spec.schedule, &job.spec.name) {
            (Some(name), _) => {
                if let Some(schedule) = self.schedules.get_mut(name) {
                    schedule.count_end(job, end);
                }
            }
            (None, Some(name)) => {
                self.names.entry(name.clone()).or_default().add_job(job, end);
                self.forget_the_oldest_name();
            }
            (None, None) => {}
        }
    }

    fn forget_the_oldest_name(&mut self) {
        if self.names.len() <= NAMES_MAX {
            return;
        }
        let ran_at = |health: &Health| health.last.as_ref().map(|last| last.at);
        let oldest = self.names.iter().min_by_key(|(_, health)| ran_at(health)).map(|(name, _)| name.clone());
        if let Some(name) = oldest {
            self.names.remove(&name);
        }
    }

    /// The history of what a job belongs to: its schedule, or its name.
    pub fn health_of(&self, job: &Job) -> Option<&Health> {
        match (&job.spec.schedule, &job.spec.name) {
            (Some(name), _) => self.schedules.get(name).map(|schedule| &schedule.health),
            (None, Some(name)) => self.names.get(name),
            (None, None) => None,
        }
    }
}
