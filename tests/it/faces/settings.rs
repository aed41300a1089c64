//! `docs/config.md`: every setting, made from the table that reads them.

use super::is_fresh;
use bgctl::model::config::{Config, GROUPS, SECTIONS, SLOTS, Setting};

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
    is_fresh("docs/config.md", &text);
}

fn row(section: &str, setting: &Setting, value: &str) -> String {
    format!("| `{section}.{}` | {value} | {} | {} |\n", setting.name, setting.kind, setting.about)
}
