//! What happened, a line each: when, to whom, and what.

use super::screen::{HEADING, LABEL, Screen, WARNING, colour_of};
use crate::model::{
    limit::format_seconds,
    outcome::{Exit, signal_name},
    state::Status,
};
use crate::ops::events::Told;
use crate::render::safe;
use anstyle::Style;
use chrono::Local;
use serde_json::{Map, Value};

/// A count of events.
pub fn events_count(count: usize) -> String {
    if count == 1 { "1 event".to_owned() } else { format!("{count} events") }
}

/// One line, without its end.
pub fn event(told: &Told, screen: Screen) -> String {
    match told {
        Told::Gap { from, to } => {
            let which =
                if from == to { format!("event {from} is") } else { format!("events {from} to {to} are") };
            screen.paint(WARNING, &format!("{which} missing: not kept any more, or never written"))
        }
        Told::Line { at, fields, .. } => {
            let at = at.with_timezone(&Local).format("%Y-%m-%d %H:%M:%S");
            let said = Said { fields };
            let (what, style) = said.what();
            let who = said.who();
            let who =
                if who.is_empty() { who } else { format!("{}  ", screen.paint(HEADING, &safe::line(&who))) };
            let seq = said.number("seq").unwrap_or(0);
            let head = screen.paint(LABEL, &format!("{at}  {seq:>5}"));
            let what = safe::line(&what);
            let what = style.map_or_else(|| what.clone(), |style| screen.paint(style, &what));
            format!("{head}  {who}{what}")
        }
    }
}

/// What a line says.
struct Said<'a> {
    fields: &'a Map<String, Value>,
}

impl Said<'_> {
    fn text(&self, name: &str) -> Option<&str> {
        self.fields.get(name)?.as_str()
    }

    fn number(&self, name: &str) -> Option<u64> {
        self.fields.get(name)?.as_u64()
    }

    /// The job by its name and the random part of its id; the schedule or group where it is about none. A time that has
    /// come is the schedule's, whose run has the id.
    fn who(&self) -> String {
        let is_of_schedule = self.text("event") == Some("scheduled");
        let random =
            self.text("id").filter(|_| !is_of_schedule).map(|id| id.rsplit('_').next().unwrap_or(id));
        match (random, self.text("name")) {
            (Some(random), Some(name)) => format!("{name} {random}"),
            (Some(random), None) => random.to_owned(),
            (None, _) => match (self.text("schedule"), self.text("group")) {
                (Some(schedule), _) => format!("schedule {schedule}"),
                (None, Some(group)) => format!("group {group}"),
                (None, None) => String::new(),
            },
        }
    }

    /// What happened, and how that looks.
    fn what(&self) -> (String, Option<Style>) {
        let event = self.text("event").unwrap_or_default();
        match event {
            "submitted" => (self.submitted(), None),
            "changed" => self.changed(),
            "edited" => (self.edited(), None),
            "removed" => ("removed".to_owned(), None),
            "key_expired" => ("its key is free again".to_owned(), None),
            "grouped" => (self.grouped(), None),
            "scheduled" => (self.scheduled(), None),
            "refused" => (self.refused(), Some(WARNING)),
            "health" => self.health(),
            "hook" => (self.hook(), None),
            "hook_failed" => (self.hook(), Some(colour_of(Status::Failed))),
            // Of a later version.
            other => (other.replace('_', " "), None),
        }
    }

    fn submitted(&self) -> String {
        let mut text = "submitted".to_owned();
        if let Some(schedule) = self.text("schedule") {
            text.push_str(&format!(" as a run of {schedule}"));
        }
        if let Some(group) = self.text("group") {
            text.push_str(&format!(" to group {group}"));
        }
        if let Some(at) = self.time("not_before") {
            text.push_str(&format!(", to start at {at}"));
        }
        if self.status() == Some(Status::WaitingApproval) {
            text.push_str(", waits for approval");
        }
        text
    }

    fn changed(&self) -> (String, Option<Style>) {
        let status = self.status();
        let moved = self.fields.contains_key("was");
        let style = status.filter(|_| moved).map(colour_of);
        let change = self.text("change").unwrap_or_default();
        let text = match (change, status) {
            ("decline", Some(status)) => format!("{status}: declined{}", self.by()),
            ("expire", Some(status)) => format!("{status}: nobody approved it in time"),
            (_, Some(status)) if moved && status.has_ended() => self.ended(status),
            ("end", Some(Status::Queued)) => self.tried_again(),
            ("end", Some(Status::WaitingApproval)) => "waits for approval".to_owned(),
            ("claim", _) => "started".to_owned(),
            ("give_back", _) => "was not started, and waits again".to_owned(),
            ("decide", _) => format!("is told to end{}", self.why()),
            ("pause", _) => "paused".to_owned(),
            ("resume", _) => "resumed".to_owned(),
            ("close_input", _) => "gets no more input".to_owned(),
            ("reschedule", _) => match self.time("not_before") {
                Some(at) => format!("starts no earlier than {at}"),
                None => "starts as soon as there is room".to_owned(),
            },
            ("clear_dead_letter", _) => "is no dead letter any more".to_owned(),
            ("ask_approval", _) => self.asks(),
            ("ask", _) => self.asked(),
            ("hinder", _) => match self.text("trouble") {
                Some(trouble) => return (format!("no answer counts yet: {trouble}"), Some(WARNING)),
                None => "can be answered again".to_owned(),
            },
            ("warn_expiry", _) => {
                let at = self.time("expires_at").map(|at| format!("; it fails at {at}"));
                return (format!("nobody has answered yet{}", at.unwrap_or_default()), Some(WARNING));
            }
            ("approve", _) => format!("approved{}", self.by()),
            ("enrich", _) => "its end is known better".to_owned(),
            (other, _) => other.replace('_', " "),
        };
        (text, style)
    }

    /// Who answered, and why.
    fn by(&self) -> String {
        let by = self.text("by").map(|by| format!(" by {by}")).unwrap_or_default();
        let note = self.text("note").map(|note| format!(": {note}")).unwrap_or_default();
        format!("{by}{note}")
    }

    /// A running job asks for approval of what comes next.
    fn asks(&self) -> String {
        let request = self.fields.get("request");
        let of = |name: &str| request.and_then(|request| request.get(name)).and_then(Value::as_str);
        let on = of("on").filter(|on| *on != "local").map(|on| format!(" on {on}")).unwrap_or_default();
        let why = of("reason").map(|reason| format!(": {reason}")).unwrap_or_default();
        format!("asks for approval{on}{why}")
    }

    /// How far the asking on GitHub has come.
    fn asked(&self) -> String {
        let asked = self.fields.get("asked");
        let of = |name: &str| asked.and_then(|asked| asked.get(name));
        match (of("step").and_then(Value::as_str), of("number").and_then(Value::as_u64)) {
            (Some("begun"), _) => "is about to be asked for on GitHub".to_owned(),
            (Some("on"), Some(number)) if of("edited_at").is_some() => {
                format!("issue #{number} was edited, and can only decline now")
            }
            (Some("on"), Some(number)) => format!("is asked for on issue #{number}"),
            _ => "is yet to be asked for on GitHub".to_owned(),
        }
    }

    fn ended(&self, status: Status) -> String {
        let mut text = status.to_string();
        // "cancelled: cancelled" would say it twice.
        let how = || self.exit().filter(|_| status != Status::Completed);
        let summary = self.text("summary").map(str::to_owned).or_else(how).unwrap_or_default();
        let rest =
            summary.strip_prefix(&text).unwrap_or(&summary).trim_start_matches([';', ' ', ':']).to_owned();
        if !rest.is_empty() {
            text.push_str(&format!(": {rest}"));
        }
        if self.fields.get("dead_letter").is_some_and(|is| *is == true) {
            text.push_str("; a dead letter now");
        }
        text
    }

    fn tried_again(&self) -> String {
        let how = self.exit().map(|exit| format!(" ({exit})")).unwrap_or_default();
        let when = self.time("retry_at").map(|at| format!(" at {at}")).unwrap_or_default();
        format!("an attempt failed{how}, tried again{when}")
    }

    fn why(&self) -> String {
        let ending = self.fields.get("ending");
        let why = ending.and_then(|ending| ending.get("why")).and_then(Value::as_str);
        why.map(|why| format!(" ({why})")).unwrap_or_default()
    }

    fn edited(&self) -> String {
        let names: Vec<String> = match self.fields.get("edit") {
            Some(Value::Object(edit)) => edit.keys().map(|name| name.replace('_', " ")).collect(),
            _ => Vec::new(),
        };
        if names.is_empty() { "changed".to_owned() } else { format!("changed: {}", names.join(", ")) }
    }

    fn grouped(&self) -> String {
        match self.text("change") {
            Some("slots") => match self.number("slots") {
                Some(1) => "has 1 slot".to_owned(),
                slots => format!("has {} slots", slots.unwrap_or(0)),
            },
            Some("pause") => "paused".to_owned(),
            Some("resume") => "resumed".to_owned(),
            Some("remove") => "removed".to_owned(),
            other => other.unwrap_or("changed").replace('_', " "),
        }
    }

    fn scheduled(&self) -> String {
        let next = self.time("next_at").map(|at| format!(", next at {at}")).unwrap_or_default();
        let text = match self.text("change") {
            Some("put") => "defined".to_owned(),
            Some("remove") => "removed".to_owned(),
            Some("pause") => "paused".to_owned(),
            Some("resume") => "resumed".to_owned(),
            Some("due") => "its time has come".to_owned(),
            Some("moved") => "the clock was set".to_owned(),
            Some("restart") => match self.time("restart_at") {
                Some(at) => format!("failed, runs again at {at}"),
                None => "failed, runs again".to_owned(),
            },
            Some("renewed") => match self.time("valid_until") {
                Some(at) => format!("valid until {at}"),
                None => "renewed".to_owned(),
            },
            Some("did") => self.did(),
            other => other.unwrap_or("changed").replace('_', " "),
        };
        text + &next
    }

    fn did(&self) -> String {
        let run = self.fields.get("run");
        let of = |name: &str| run.and_then(|run| run.get(name)).and_then(Value::as_str);
        let result = of("result").unwrap_or("ran");
        of("note").map_or_else(|| result.to_owned(), |note| format!("{result}: {note}"))
    }

    fn refused(&self) -> String {
        let times = match self.number("times") {
            Some(1) | None => "a submission was refused".to_owned(),
            Some(times) => format!("{times} submissions were refused"),
        };
        format!(
            "{times}: {} wait, and nothing is taken beyond {}",
            self.number("waiting").unwrap_or(0),
            self.number("threshold").unwrap_or(0)
        )
    }

    fn health(&self) -> (String, Option<Style>) {
        let verdict = self.text("status").unwrap_or("unknown");
        let reasons: Vec<&str> = match self.fields.get("reasons") {
            Some(Value::Array(reasons)) => reasons.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        };
        let reasons = if reasons.is_empty() { String::new() } else { format!(": {}", reasons.join("; ")) };
        let style = match verdict {
            "ok" => colour_of(Status::Completed),
            "failing" => colour_of(Status::Failed),
            _ => WARNING,
        };
        (format!("all in all {verdict}{reasons}"), Some(style))
    }

    fn hook(&self) -> String {
        let hook = match self.text("hook") {
            Some("job") => "its hook".to_owned(),
            Some(name) => format!("hook {name}"),
            None => "a hook".to_owned(),
        };
        let of = self.number("of").map(|of| format!(" for {of}")).unwrap_or_default();
        let result = self.text("result").unwrap_or_default().replace('_', " ");
        let took = self.number("took_ms").filter(|took| *took >= 1_000);
        let took = took.map(|took| format!(" after {}", format_seconds(took / 1_000))).unwrap_or_default();
        let mut more: Vec<String> = self.text("note").map(str::to_owned).into_iter().collect();
        if self.text("result") == Some("failed") {
            more.extend(self.exit());
        }
        let more = if more.is_empty() { String::new() } else { format!(": {}", more.join("; ")) };
        format!("{hook}{of} {result}{took}{more}")
    }

    fn status(&self) -> Option<Status> {
        serde_json::from_value(self.fields.get("status")?.clone()).ok()
    }

    /// How an attempt or a hook exited.
    fn exit(&self) -> Option<String> {
        let exit = self.fields.get("exit").or_else(|| self.fields.get("outcome")?.get("exit"))?;
        Some(match serde_json::from_value(exit.clone()).ok()? {
            Exit::Code(code) => format!("exit code {code}"),
            Exit::Signal(signal) => signal_name(signal),
            Exit::NotStarted { reason, .. } | Exit::Unknown { reason } => reason,
            Exit::NotExecuted => "nothing was executed".to_owned(),
        })
    }

    fn time(&self, name: &str) -> Option<String> {
        let at: crate::model::Timestamp = self.text(name)?.parse().ok()?;
        Some(at.with_timezone(&Local).format("%Y-%m-%d %H:%M:%S").to_string())
    }
}
