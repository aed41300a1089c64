//! How things stand, as JSON.

use super::{group::group, live, row, waits};
use crate::model::{Timestamp, id::JobId};
use crate::ops::overview::{Attention, Overview};
use crate::render::human;
use serde_json::{Map, Value, json};

/// How things stand.
pub fn overview(overview: &Overview, now: Timestamp) -> Value {
    let counts: Map<String, Value> =
        overview.counts.iter().map(|(status, count)| (status.to_string(), (*count).into())).collect();
    let running = overview.running.iter().map(|one| {
        let mut value = row(&one.row);
        value["live"] = live(one.live);
        value
    });
    let queued = overview.queued.iter().map(|one| {
        let mut value = super::job(&one.job);
        value["place"] = one.place.into();
        value["waits"] = waits(Some(&one.waits));
        value
    });
    json!({
            "root": overview.root.to_string_lossy(),
            "counts": counts,
            "slots": {
                "held": overview.slots_held,
                "max": overview.slots_max,
                "services": overview.services,
            },
            "schedules": {
                "count": overview.schedules.count,
                "paused": overview.schedules.paused,
                "next": overview.schedules.next.as_ref().map(|(name, at)| json!({ "name": name, "due_at": at })),
            },
            "groups": overview.groups.iter().map(group).collect::<Vec<_>>(),
            "running": running.collect::<Vec<_>>(),
            "queued": queued.collect::<Vec<_>>(),
            "failed": overview.failed.iter()
    .map(super::job).collect::<Vec<_>>(),
            "attention": overview.attention.iter().map(|one| attention(one, now)).collect::<Vec<_>>(),
        })
}

fn attention(attention: &Attention, now: Timestamp) -> Value {
    let jobs: &[JobId] = attention.jobs().unwrap_or_default();
    let message = match attention {
        Attention::Health(verdict) => Some(human::verdict_brief(verdict, now)),
        Attention::Settings(message) => Some(message.clone()),
        Attention::GroupPaused(group) => Some(group.clone()),
        _ => None,
    };
    json!({ "kind": attention.kind(), "jobs": jobs, "message": message })
}
