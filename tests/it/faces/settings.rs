//! `docs/config.md`: every setting, made from the table that reads them.

use super::is_fresh;
use bgctl::model::config::{Config, GROUPS, SCHEDULES, SECTIONS, SLOTS, Setting};
use bgctl::ops::{
    schedule::{file::KEYS, sessions},
    start::fields::FIELDS,
};

const HEAD: &str = "\
<!-- Made from src/model/config/table.rs: SNAPSHOTS=overwrite cargo test --test it faces -->

# Settings

`config.toml` in the root ([files.md](files.md)) is optional, and so is each of its lines: what it does not say has its built-in
value. `bgctl config show` prints what holds and who says so, as a file that could stand there; `bgctl config check` names each
mistake by line and column and exits with 78.

Durations are whole seconds or texts such as `\"90s\"`, `\"1h30m\"`, `\"2d\"`; sizes are bytes or texts such as `\"64MiB\"`,
`\"2GB\"`; `\"none\"` switches a limit off where the table allows it.

A job takes its limits with it at its submission; a later change of the file does not change it. Everything else holds from
the next command, and a process that lives longer reads the file again at each of its decisions. A file with a mistake stops
`start` with exit code 78. Everything else says so and goes on with the built-in values, because what runs must go on being
watched and ended.
";

const RECURRING: &str = "
A section for each schedule ([schedules.md](schedules.md)). Beside the keys of the table it has the fields of a job, by the names that
they have in a line of `start --batch`: `argv` (a list of words) or `shell` (a line) is needed. A run starts in the home folder, or in
`cwd`, which counts from there, with HOME, LOGNAME, USER, SHELL=/bin/sh, PATH=/usr/local/bin:/usr/bin:/bin, and what `env` sets.

```toml
[schedules.nightly]
cron = \"30 2 * * *\"
tz = \"Europe/Berlin\"
argv = [\"./backup.sh\", \"--full\"]
cwd = \"backup\"
timeout = \"2h\"
env = { LANG = \"C.UTF-8\" }
```

The next `bgctl tick` takes it over. It wins over a schedule of that name that was added by hand, and goes with its section. A mistake
in one of these sections is that one's alone: the other settings hold, what the index has of it goes on, and `bgctl config check`
names it.
";

#[test]
fn faces_the_reference_of_settings_is_fresh() {
    let mut text = HEAD.to_owned();
    for section in SECTIONS {
        text.push_str(&format!("\n## `[{}]`: {}\n", section.name, section.about));
        if !section.is_used {
            text.push_str("\nThese are read, checked and shown, and do nothing yet.\n");
        }
        text.push_str("\n| key | built-in value | what it can be | what it is |\n|---|---|---|---|\n");
        for setting in section.settings {
            let value = (setting.get)(&Config::default()).to_toml();
            text.push_str(&row(section.name, setting, &format!("`{value}`")));
        }
    }
    text.push_str(&format!("\n## `[{GROUPS}.NAME]`: the slots of a group\n"));
    text.push_str(
        "\nA section for each group; the default group has `queue.max_concurrent`. A group can also be made by\n\
        `start --create-group` and `group add`, which write it to the index; where both say how many slots it has, the file holds.\n",
    );
    text.push_str("\n| key | built-in value | what it can be | what it is |\n|---|---|---|---|\n");
    text.push_str(&row("groups.NAME", &SLOTS, "none: it has to be said"));
    text.push_str(&format!("\n## `[{SCHEDULES}.NAME]`: a recurring job\n{RECURRING}"));
    text.push_str("\n| key | unless it is there | what it can be | what it is |\n|---|---|---|---|\n");
    for (key, unless, kind, about) in KEYS {
        text.push_str(&format!("| `{key}` | {unless} | {kind} | {about} |\n"));
    }
    let of_a_run = |name: &&str| !["after", "after_end"].contains(name);
    let fields = FIELDS.iter().map(|(_, flag)| *flag).filter(of_a_run);
    let fields: Vec<String> = fields.map(|flag| format!("`{flag}`")).collect();
    text.push_str(&format!("\nThe fields of a job: {}.\n", fields.join(", ")));
    text.push_str(&of_sessions());
    is_fresh("docs/config.md", &text);
}

/// `[sessions.NAME]`. Every key that is read has a row, and no other.
fn of_sessions() -> String {
    const HEAD: &str = "\n## `[sessions.NAME]`: a session that is kept alive\n\n\
        A section for each; [sessions.md](sessions.md) tells how they are used. The name has letters, digits, `-`, `_` and `.`. A mistake in one\n\
        is that session's alone: a tick says so, and what was right before goes on. `config check` names them all.\n\n\
        | key | where it is not said | what it can be | what it is |\n|---|---|---|---|\n";
    const COMMAND: &str = "a list of words, or a string, which is a line for `sh -c`";
    let rows = [
        ("refresh", "the session is not renewed", COMMAND, "what renews it, without asking anybody"),
        (
            "ttl",
            "one of `ttl` and `expires` has to be said",
            "at least 1 second",
            "how long it is valid after a refresh",
        ),
        (
            "expires",
            "one of `ttl` and `expires` has to be said",
            COMMAND,
            "what prints the time until which it is valid",
        ),
        (
            "refresh_before",
            "a quarter of `ttl`, 10 minutes at the most; `5m` with `expires`",
            "at least 1 second, shorter than `ttl`",
            "how long before its end it is renewed",
        ),
        ("cwd", "the home folder", "a folder, from the home folder on", "where its commands run"),
        ("env", "none", "`{ NAME = \"value\" }`", "variables for its commands; their values are never shown"),
        ("timeout", "`1m`", "at least 1 second", "how long one refresh may take"),
        (
            "group",
            "`session_refresh`, which has a slot for each session",
            "a group",
            "whose slots its refreshes take",
        ),
        (
            "priority",
            "`normal`",
            "`critical`, `high`, `normal`, `low`",
            "how urgent its refreshes are within their group",
        ),
        ("labels", "none", "a list of labels", "labels of its refreshes, beside `session:NAME`"),
    ];
    assert_eq!(rows.map(|(key, ..)| key), sessions::KEYS);
    let row = |(key, without, can_be, is): (&str, &str, &str, &str)| {
        format!("| `sessions.NAME.{key}` | {without} | {can_be} | {is} |\n")
    };
    format!("{HEAD}{}", rows.map(row).concat())
}

fn row(section: &str, setting: &Setting, value: &str) -> String {
    format!("| `{section}.{}` | {value} | {} | {} |\n", setting.name, setting.kind, setting.about)
}
