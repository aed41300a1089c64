//! The draft in which a decision grows.

use super::{Damage, Facts};
use crate::model::{
    event::{Applied, Event, apply},
    id::JobId,
    state::Status,
    stream::Step,
};

/// A decision in the making: each event is applied to the facts at once, so that the next policy sees its effect.
#[derive(Clone, Debug)]
pub struct Draft {
    facts: Facts,
    events: Vec<Event>,
    steps: Vec<Step>,
}

impl Draft {
    /// Nothing decided yet.
    pub fn new(facts: Facts) -> Self {
        Self { facts, events: Vec::new(), steps: Vec::new() }
    }

    /// The facts as they are with the events so far.
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// Adds an event, if it changes something.
    pub fn push(&mut self, event: Event) -> Result<Applied, Damage> {
        let was = event.job().and_then(|id| self.status(id));
        let applied = apply(&event, &mut self.facts)?;
        if applied == Applied::Yes {
            if let Event::Changed { id, .. } | Event::Edited { id, .. } | Event::KeyExpired { id } = &event {
                self.facts.refresh(id);
            }
            self.steps.push(Step { was, is: event.job().and_then(|id| self.status(id)) });
            self.events.push(event);
        }
        Ok(applied)
    }

    /// The events so far.
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    fn status(&self, id: &JobId) -> Option<Status> {
        self.facts.head(id).map(|head| head.status)
    }

    /// How each of the events moved its job.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// The facts after all events, and the events.
    pub fn into_parts(self) -> (Facts, Vec<Event>) {
        (self.facts, self.events)
    }
}
