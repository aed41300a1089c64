//! Hooks: whether an event of this draft is for one. Which, stands in the line that tells of it.

use super::{Action, Inputs};
use crate::model::{facts::Draft, hook::has_just_ended};

/// Asks for somebody who runs hooks.
pub fn hook(draft: &Draft, inputs: &Inputs<'_>, actions: &mut Vec<Action>) {
    let set = inputs.config.hooks.set();
    let mut ended = draft
        .events()
        .iter()
        .zip(draft.steps())
        .filter(|(_, step)| has_just_ended(step.was, step.is))
        .filter_map(|(event, _)| draft.facts().parsed(event.job()?));
    if ended.any(|job| !set.for_end_of(job).is_empty()) {
        actions.push(Action::Hook);
    }
}
