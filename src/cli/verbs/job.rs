//! What a job is like: from the flags that `start` and `schedule add` share to what a use case takes.

use crate::cli::{
    args::job::{JobArgs, LeftoversArg},
    usage,
};
use crate::model::priority::Priority;
use crate::ops::{
    fault::Fault,
    start::{Request, fields::shell_words},
};
use std::ffi::OsString;

/// Refuses flags that say nothing without another one. `is_batch`: each line of one may say the other.
pub fn check(command: &str, args: &JobArgs, is_batch: bool) -> Result<(), Fault> {
    if args.plan_hash.is_some() && !args.unique {
        return Err(usage::refused(command, "--plan-hash needs --unique"));
    }
    if args.create_group && args.group.is_none() && !is_batch {
        return Err(usage::refused(command, "--create-group needs --group"));
    }
    if args.key_ttl.is_some() && args.key.is_none() && !args.unique && !is_batch {
        return Err(usage::refused(command, "--key-ttl needs --key or --unique"));
    }
    if args.service && !is_batch && Priority::from(args.priority) != Priority::Normal {
        return Err(useless_with_service(command, "--priority"));
    }
    Ok(())
}

/// A flag for what waits for a slot, which a service does not.
pub fn useless_with_service(command: &str, flag: &str) -> Fault {
    let message =
        format!("a service needs no slot and never waits for one: {flag} does nothing with --service");
    usage::refused(command, &message)
}

/// What the flags ask for.
pub fn request(command: &[OsString], args: &JobArgs) -> Request {
    Request {
        argv: command.to_vec(),
        shell: args.shell.clone(),
        name: args.name.clone(),
        labels: args.label.clone(),
        cwd: args.cwd.clone(),
        env: args.env.clone(),
        env_files: args.env_file.clone(),
        unset: args.unset.clone(),
        clean_env: args.clean_env,
        timeout: args.timeout.map(|limit| limit.0),
        stale_after: args.stale_after.map(|limit| limit.0),
        grace: args.grace.map(|limit| limit.0),
        stdin: args.stdin.clone(),
        log: args.log_max.map(|limit| limit.0),
        service: args.service,
        leave_leftovers: args.leftovers == LeftoversArg::Leave,
        on_end: args.on_end.clone().map(shell_words).unwrap_or_default(),
        priority: args.priority.into(),
        key: args.key.clone(),
        unique: args.unique,
        plan_hash: args.plan_hash.clone(),
        key_ttl_seconds: args.key_ttl,
        attempts: args.attempts,
        retry: args.retry,
        retry_delay_seconds: args.retry_delay,
        retry_max_delay_seconds: args.retry_max_delay,
        retry_on: args.retry_on.clone(),
        group: args.group.clone(),
        create_group: args.create_group,
        approval: args.approval.clone(),
        approval_ttl: args.approval_ttl.map(|limit| limit.0),
        keep_token: args.keep_token,
        ..Request::default()
    }
}
