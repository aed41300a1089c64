//! From arguments to a use case, from its outcome to words and an exit code.

use super::args::{
    self, CancelArgs, CommonArgs, ExecutorArg, InitArgs, LeftoversArg, ListArgs, LogsArgs, PruneArgs,
    SUBCOMMANDS, StartArgs, StatusArgs, TargetArg, TickArgs, WaitArgs,
};
use crate::exec::local::WATCH_COMMAND;
use crate::model::{bytes, claim::ExecutorName, id::JobId, job::Job};
use crate::ops::{
    attend::Attendance,
    cancel::{self, CancelResult},
    fault::{Code, Fault},
    find::home_of,
    home::{BrokenConfig, Home},
    init, list, logs, prune, start, status, tick,
    wait::{self, OWN_FAILURE, STILL_GOING_ON},
    watch,
};
use crate::os::{
    clock::{Clock, SystemClock},
    signal::leave_on_interrupt,
};
use crate::render::{Voice, human, json, print, safe};
use clap::{ArgMatches, FromArgMatches};
use serde_json::json;
use std::ffi::OsString;
use std::io::{self, IsTerminal};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

/// How many lines of a failed job's output a wait shows.
const LAST_LINES: u64 = 10;

/// The program.
pub fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    if arguments.get(1).is_some_and(|word| word == WATCH_COMMAND) {
        return watcher(&arguments[2..]);
    }
    let matches = match args::command().try_get_matches_from(&arguments) {
        Ok(matches) => matches,
        Err(error) => return clap_says(&error),
    };
    match matches.subcommand() {
        Some((name, matches)) => subcommand(name, matches),
        None => ExitCode::from(Code::Usage as u8),
    }
}

/// The hidden subcommand of watchers: `__watch ROOT ID`.
fn watcher(arguments: &[OsString]) -> ExitCode {
    let id = arguments.get(1).and_then(|id| JobId::parse(id.to_str()?).ok());
    if let (Some(root), Some(id)) = (arguments.first(), id) {
        watch::run(Path::new(root), id);
    }
    ExitCode::SUCCESS
}

/// Help and version are results; the rest is usage.
fn clap_says(error: &clap::Error) -> ExitCode {
    // A reader of the help that has gone away has what it wanted.
    let _ = error.print();
    if !error.use_stderr() {
        return ExitCode::SUCCESS;
    }
    let words: Vec<OsString> = std::env::args_os().skip(1).take_while(|word| word != "--").collect();
    if words.iter().skip(1).any(|word| word == "--json") {
        let text = error.render().to_string();
        // Up to the first empty line it says what is wrong; then come tips and the usage.
        let said: Vec<&str> = text.lines().take_while(|line| !line.is_empty()).map(str::trim).collect();
        let said = said.join(" ");
        crate::render::print_fault(
            &words[0].to_string_lossy(),
            &Fault::new(Code::Usage, said.trim_start_matches("error: ")),
            Code::Usage as i32,
        );
    }
    ExitCode::from(Code::Usage as u8)
}

fn subcommand(name: &str, matches: &ArgMatches) -> ExitCode {
    match name {
        "start" => run::<StartArgs>(name, matches, |args| args.common, do_start),
        "list" => run::<ListArgs>(name, matches, |args| args.common, do_list),
        "status" => run::<StatusArgs>(name, matches, |args| args.common, do_status),
        "logs" => run::<LogsArgs>(name, matches, |args| args.common, do_logs),
        "cancel" => run::<CancelArgs>(name, matches, |args| args.common, do_cancel),
        "wait" => run::<WaitArgs>(name, matches, |args| args.common, do_wait),
        "prune" => run::<PruneArgs>(name, matches, |args| args.common, do_prune),
        "tick" => run::<TickArgs>(name, matches, |args| args.common, do_tick),
        "init" => run::<InitArgs>(name, matches, |args| args.common, do_init),
        _ => ExitCode::from(Code::Usage as u8),
    }
}

fn run<A: FromArgMatches>(
    name: &str,
    matches: &ArgMatches,
    common: fn(&A) -> CommonArgs,
    action: fn(&A, Voice) -> Result<i32, Fault>,
) -> ExitCode {
    let args = match A::from_arg_matches(matches) {
        Ok(args) => args,
        Err(error) => return clap_says(&error),
    };
    let CommonArgs { json, quiet, verbose } = common(&args);
    let voice = Voice { json, quiet, verbose };
    let code = action(&args, voice).unwrap_or_else(|fault| {
        // A wait answers with the job's codes, so its own failures have one that no job's should be.
        let own = name == "wait" && fault.code != Code::Usage;
        let code = if own { OWN_FAILURE } else { fault.code as i32 };
        voice.fault(name, &fault, code);
        code
    });
    ExitCode::from(u8::try_from(code).unwrap_or(Code::Failed as u8))
}

fn do_start(args: &StartArgs, voice: Voice) -> Result<i32, Fault> {
    let request = start::Request {
        argv: args.command.clone(),
        shell: args.shell.clone(),
        name: args.name.clone(),
        labels: args.label.clone(),
        cwd: args.cwd.clone(),
        env: args.env.clone(),
        clean_env: args.clean_env,
        timeout: args.timeout.map(|limit| limit.0),
        stale_after: args.stale_after.map(|limit| limit.0),
        grace: args.grace.map(|limit| limit.0),
        stdin: args.stdin.clone(),
        leave_leftovers: args.leftovers == LeftoversArg::Leave,
    };
    if args.dry_run {
        let job = start::foresee(&request)?;
        voice.result("start", &human::foreseen(&job), &json::foreseen(&job))?;
        return Ok(0);
    }
    let submitted = start::start(&request)?;
    voice.events(&submitted.decided.events);
    voice.warn(&submitted.warnings);
    let id = submitted.job.id.clone();
    // With --follow, standard output is the job's; with --wait --json, it is the end's.
    let printed = if args.follow {
        voice.say(&id.to_string());
        Ok(())
    } else if args.wait && voice.json {
        Ok(())
    } else {
        voice.result("start", &format!("{id}\n"), &json::submitted(&submitted))
    };
    if let Err(error) = printed {
        return Err(Fault::new(
            Code::Failed,
            format!("{id} is submitted, but its id could not be printed: {error}"),
        ));
    }
    if let Some(place) = human::place(&submitted) {
        voice.say(&place);
    }
    let code = if args.follow {
        copied(follow(&id, voice))
    } else if args.wait {
        wait_for_one(&id, voice)
    } else {
        Ok(0)
    };
    // The job stands, and its codes are what is answered with from here on.
    Ok(code.unwrap_or_else(|fault| {
        voice.fault("start", &fault, OWN_FAILURE);
        OWN_FAILURE
    }))
}

fn wait_for_one(id: &JobId, voice: Voice) -> Result<i32, Fault> {
    leave_on_interrupt(goes_on(&[id.to_string()]));
    let home = Home::open(BrokenConfig::Warns)?;
    let attendance = Attendance::new(&home)?;
    let ids = std::slice::from_ref(id);
    let waited = wait::wait_for(&home, attendance, ids, None, false, &mut |job| tell_end(&home, job, voice))?;
    voice.warn(&waited.warnings);
    if voice.json {
        voice.result("wait", "", &json::waited(&waited))?;
    }
    Ok(waited.code)
}

fn goes_on(jobs: &[String]) -> String {
    let jobs = jobs.join(" ");
    format!("\nbgctl: {jobs} goes on; bgctl wait {jobs} waits again, bgctl cancel {jobs} ends it\n")
}

/// On a failure, its reason and the last lines of its output; and that nothing was executed, where that is so.
fn tell_end(home: &Home, job: &Job, voice: Voice) {
    let failed = wait::exit_code(job).unwrap_or(0) != 0;
    if voice.quiet || !(failed || human::nothing_was_executed(job)) {
        return;
    }
    voice.say(&human::end(job));
    let lines = logs::last_lines(home, &job.id, LAST_LINES);
    if !lines.is_empty() {
        voice.say(&format!("the last lines of its output (bgctl logs {}):", job.id));
        voice.say(safe::lines(&String::from_utf8_lossy(&lines)).trim_end_matches('\n'));
    }
}

fn do_wait(args: &WaitArgs, voice: Voice) -> Result<i32, Fault> {
    leave_on_interrupt(goes_on(&args.jobs));
    let request = wait::Request {
        jobs: args.jobs.clone(),
        within: args.within.map(Duration::from_secs),
        any: args.any,
    };
    let home = home_of(&args.jobs)?;
    let waited = wait::wait(&request, &mut |job| tell_end(&home, job, voice))?;
    voice.warn(&waited.warnings);
    if waited.code == STILL_GOING_ON && waited.time_is_over {
        let going: Vec<String> =
            waited.jobs.iter().filter(|job| job.end().is_none()).map(|job| job.id.to_string()).collect();
        voice.say(&format!("the time is over, and it still goes on: {}", going.join(" ")));
    }
    let text = if args.any {
        waited.jobs.iter().filter(|job| job.end().is_some()).map(|job| format!("{}\n", job.id)).collect()
    } else {
        String::new()
    };
    voice.result("wait", &text, &json::waited(&waited))?;
    Ok(waited.code)
}

fn do_list(args: &ListArgs, voice: Voice) -> Result<i32, Fault> {
    let mut statuses = Vec::new();
    for word in args.status.iter().flat_map(|words| words.split(',')) {
        statuses.extend(list::parse_status(word)?);
    }
    let request = list::Request { all: args.all, statuses, labels: args.label.clone() };
    let listed = list::list(&request)?;
    voice.warn(&listed.warnings);
    let width =
        io::stdout().is_terminal().then(|| rustix::termios::tcgetwinsize(io::stdout()).ok()).flatten();
    let width = width.map(|size| usize::from(size.ws_col)).filter(|width| *width > 0);
    let text = human::list(&listed, SystemClock.now(), width, voice.colours());
    voice.result("list", &text, &json::list(&listed))?;
    if !voice.json {
        if listed.rows.is_empty() {
            voice.say("no jobs; bgctl start -- COMMAND starts one");
        }
        if let Some(left_out) = human::left_out(listed.left_out) {
            voice.say(&left_out);
        }
    }
    Ok(0)
}

fn do_status(args: &StatusArgs, voice: Voice) -> Result<i32, Fault> {
    let (reports, warnings) = status::status(&args.jobs)?;
    voice.warn(&warnings);
    let now = SystemClock.now();
    let texts: Vec<String> = reports.iter().map(|report| human::status(report, now)).collect();
    voice.result("status", &texts.join("\n"), &json::status(&reports))?;
    Ok(0)
}

fn do_logs(args: &LogsArgs, voice: Voice) -> Result<i32, Fault> {
    if args.follow {
        leave_on_interrupt(goes_on(std::slice::from_ref(&args.job)));
    }
    let request = logs::Request { job: args.job.clone(), lines: args.lines, follow: args.follow };
    if voice.json {
        return logs_as_json(&request, voice);
    }
    copied(logs::logs(&request, &mut io::stdout().lock()).map(|_| 0))
}

fn logs_as_json(request: &logs::Request, voice: Voice) -> Result<i32, Fault> {
    let mut bytes = Vec::new();
    let job = logs::logs(request, &mut bytes)?;
    let output = bytes::to_json(&bytes);
    voice.result("logs", "", &json!({ "id": job.id, "status": job.status(), "output": output }))?;
    Ok(0)
}

fn follow(id: &JobId, voice: Voice) -> Result<i32, Fault> {
    leave_on_interrupt(goes_on(&[id.to_string()]));
    let home = Home::open(BrokenConfig::Warns)?;
    let attendance = Attendance::new(&home)?;
    let mut out = io::stdout().lock();
    let job = logs::follow(&home, attendance, id, None, &mut out)?;
    let code = wait::exit_code(&job).unwrap_or(0);
    if code != 0 {
        voice.say(&human::end(&job));
    }
    Ok(code)
}

/// A reader that has gone away has what it wanted.
fn copied(result: Result<i32, Fault>) -> Result<i32, Fault> {
    match result {
        Err(fault) if fault.cause == Some(io::ErrorKind::BrokenPipe) => Ok(0),
        other => other,
    }
}

fn do_cancel(args: &CancelArgs, voice: Voice) -> Result<i32, Fault> {
    let request = cancel::Request { jobs: args.jobs.clone(), no_wait: args.no_wait, signal: args.signal };
    let (results, told) = cancel::cancel(&request)?;
    voice.events(&told.events);
    voice.warn(&told.warnings);
    let mut text = String::new();
    let mut code = 0;
    for one in &results {
        if matches!(one.result, CancelResult::Stuck(_) | CancelResult::OutOfReach(_)) {
            code = Code::Failed as i32;
            voice.say(&format!("bgctl: {}", human::cancelled(one)));
        } else {
            text.push_str(&human::cancelled(one));
            text.push('\n');
        }
    }
    voice.result("cancel", &text, &json::cancelled(&results))?;
    Ok(code)
}

fn do_prune(args: &PruneArgs, voice: Voice) -> Result<i32, Fault> {
    let pruned = prune::prune(args.dry_run)?;
    voice.events(&pruned.decided.events);
    voice.warn(&pruned.warnings);
    voice.result("prune", &human::pruned(&pruned), &json::pruned(&pruned, args.dry_run))?;
    let would = if args.dry_run { "would be " } else { "" };
    let count = pruned.jobs.len();
    voice.say(&format!("{count} {} {would}removed", if count == 1 { "job" } else { "jobs" }));
    Ok(0)
}

fn do_tick(args: &TickArgs, voice: Voice) -> Result<i32, Fault> {
    let executor = match args.executor {
        ExecutorArg::Local => ExecutorName::Local,
        ExecutorArg::DryRun => ExecutorName::DryRun,
    };
    let decided = tick::tick(executor, args.dry_run)?;
    voice.warn(&decided.warnings);
    voice.events(&decided.events);
    // From cron, silence means that all is well.
    let text = if args.dry_run { human::foreseen_pass(&decided) } else { String::new() };
    voice.result("tick", &text, &json::decided(&decided, args.dry_run))?;
    Ok(0)
}

fn do_init(args: &InitArgs, voice: Voice) -> Result<i32, Fault> {
    let target = match args.target {
        TargetArg::Bash => init::Target::Bash,
        TargetArg::Zsh => init::Target::Zsh,
        TargetArg::Fish => init::Target::Fish,
        TargetArg::Posix => init::Target::Posix,
        TargetArg::Cron => init::Target::Cron,
    };
    let text = init::init(target, &SUBCOMMANDS.map(|(name, ..)| name))?;
    if voice.json {
        voice.result("init", "", &json!({ "text": text }))?;
    } else {
        print(&text)?;
    }
    Ok(0)
}
