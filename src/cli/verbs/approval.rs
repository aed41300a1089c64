//! `bgctl approve`, `bgctl decline` and `bgctl approval`: from their arguments to a use case, from the outcome to words and an
//! exit code.

use crate::cli::args::approval::{
    AnswerArgs, ApprovalAction, ApprovalArgs, ApproveArgs, DeclineArgs, RequestArgs,
};
use crate::ops::{
    approval::{
        decide::{self, AnswerResult, Question, Reply, Wish},
        list, request,
    },
    fault::{Code, Fault},
    find::given,
};
use crate::os::{
    clock::{Clock, SystemClock},
    terminal::Terminal,
};
use crate::render::{Voice, human, human::screen::Screen, json};

/// `bgctl approve`
pub fn approve(args: &ApproveArgs, voice: Voice) -> Result<i32, Fault> {
    answer(&args.answer, Wish::Approve, voice)
}

/// `bgctl decline`
pub fn decline(args: &DeclineArgs, voice: Voice) -> Result<i32, Fault> {
    answer(&args.answer, Wish::Decline, voice)
}

/// `bgctl approval`
pub fn run(args: &ApprovalArgs, voice: Voice) -> Result<i32, Fault> {
    match &args.action {
        None | Some(ApprovalAction::List(_)) => listed(voice),
        Some(ApprovalAction::Request(args)) => ask(args, voice),
    }
}

fn answer(args: &AnswerArgs, wish: Wish, voice: Voice) -> Result<i32, Fault> {
    let jobs = given(&args.jobs)?;
    let (answered, told) = decide::decide(&jobs, wish, args.note.as_deref(), &mut at_terminal)?;
    voice.events(&told.events);
    voice.warn(&told.warnings);
    let mut text = String::new();
    let mut code = 0;
    for one in &answered {
        let said = human::answered(one, wish);
        match &one.result {
            AnswerResult::Done => text.push_str(&format!("{said}\n")),
            AnswerResult::Left | AnswerResult::Failed(_) => voice.fail(&said),
        }
        let own = match &one.result {
            AnswerResult::Done => 0,
            AnswerResult::Left => Code::Failed as i32,
            AnswerResult::Failed(fault) => fault.code as i32,
        };
        code = if code == 0 { own } else { code };
    }
    voice.result(wish.as_str(), &text, || json::answered(&answered, wish), &told.warnings)?;
    Ok(code)
}

/// Asks whoever sits at the controlling terminal, whatever standard input and output are.
fn at_terminal(question: &Question<'_>) -> Result<Reply, Fault> {
    let Some(mut terminal) = Terminal::open() else { return Ok(Reply::Nobody) };
    let text = human::approval_question(question, SystemClock.now());
    // Whoever ends the input instead of answering wants it left.
    let answer = terminal.ask(&text)?.unwrap_or_default();
    let is_yes = matches!(answer.trim().to_lowercase().as_str(), "y" | "yes");
    Ok(if is_yes { Reply::Yes } else { Reply::No })
}

fn listed(voice: Voice) -> Result<i32, Fault> {
    let listed = list::list()?;
    voice.warn(&listed.warnings);
    let text = human::approvals(&listed, SystemClock.now(), Screen::of(voice));
    voice.result("approval", &text, || json::approvals(&listed), &listed.warnings)?;
    if listed.jobs.is_empty() {
        voice.say("nothing waits for approval");
    }
    if let Some(at) = listed.polled_at {
        voice.say(&human::polled(at, SystemClock.now()));
    }
    Ok(0)
}

fn ask(args: &RequestArgs, voice: Voice) -> Result<i32, Fault> {
    let ttl = args.ttl.map(|limit| limit.0);
    let asked = request::request(args.reason.as_deref(), args.on.clone(), ttl)?;
    voice.events(&asked.decided.events);
    voice.warn(&asked.decided.warnings);
    voice.say(&human::approval_asked(&asked));
    voice.result("approval", "", || json::approval_asked(&asked), &asked.decided.warnings)?;
    Ok(0)
}
