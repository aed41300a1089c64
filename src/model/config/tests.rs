//! The section `[approval]`: what each of its settings can be, and what is said of what it cannot.

use super::*;
use crate::model::approval::{On, Place};

/// What is said of the value of a setting, behind the setting's name.
#[track_caller]
fn said(section: &str, line: &str) -> String {
    let text = format!("[{section}]\n{line}\n");
    let mistakes = read(&text).expect_err(&text);
    let [mistake] = mistakes.all() else { panic!("{line}: {mistakes:?}") };
    assert_eq!(mistake.line, 2, "{line}");
    let key = mistake.key.clone().expect("a key");
    mistake.problem.strip_prefix(&format!("{key}: ")).unwrap_or(&mistake.problem).to_owned()
}

#[track_caller]
fn approval(text: &str) -> Approval {
    Config::parse(text).unwrap_or_else(|mistakes| panic!("{text}: {mistakes}")).approval
}

/// Whether the section with this line is as by itself but for what `change` does.
#[track_caller]
fn assert_reads(line: &str, change: impl FnOnce(&mut Approval)) {
    let mut expected = Config::default().approval;
    change(&mut expected);
    assert_eq!(approval(&format!("[approval]\n{line}\n")), expected, "{line}");
}

#[test]
fn each_setting_of_approvals_changes_what_it_names() {
    assert_reads("local = \"terminal\"", |_| {});
    assert_reads("local = \"anyone\"", |it| it.local = LocalApproval::Anyone);
    assert_reads("local = \"off\"", |it| it.local = LocalApproval::Off);
    assert_reads("approvers = []", |_| {});
    assert_reads("approvers = [\"octo-cat\", \"my-app[bot]\", \"a_corp\"]", |it| {
        it.approvers = ["octo-cat", "my-app[bot]", "a_corp"].map(str::to_owned).into();
    });
    assert_reads("self_approval = true", |it| it.self_approval = true);
    assert_reads("approved_label = \"go ahead\"", |it| it.labels.approved = "go ahead".into());
    assert_reads("declined_label = \"no\"", |it| it.labels.declined = "no".into());
    assert_reads("waiting_label = \"🦀\"", |it| it.labels.waiting = "🦀".into());
    assert_reads("poll_interval = \"5m\"", |it| it.poll_seconds = 300);
    assert_reads("default_ttl = \"none\"", |it| it.ttl_seconds = None);
    assert_reads("expiry_warning = \"none\"", |it| it.warning_seconds = None);
    assert_reads("expiry_warning = 0", |it| it.warning_seconds = Some(0));
    assert_reads("github.token_file = \"/home/me/token\"", |it| {
        it.github.token_file = Some("/home/me/token".into());
    });
    assert_reads("github.token_file = \"none\"", |_| {});
    assert_reads("github.token_command = [\"pass\", \"gh\"]", |it| {
        it.github.token_command = Some(vec!["pass".into(), "gh".into()]);
    });
    assert_reads("github.token_command = \"pass gh | head -1\"", |it| {
        it.github.token_command = Some(["/bin/sh", "-c", "pass gh | head -1"].map(str::to_owned).into());
    });
    assert_reads("github.token_command = []", |_| {});
}

#[test]
fn the_address_of_github_is_https_unless_it_is_of_this_machine() {
    for (written, read) in [
        ("https://api.github.com", "https://api.github.com"),
        ("https://ghe.example.com/api/v3/", "https://ghe.example.com/api/v3"),
        ("https://ghe.example.com:8443", "https://ghe.example.com:8443"),
        ("http://localhost:4000", "http://localhost:4000"),
        ("http://127.0.0.1", "http://127.0.0.1"),
        ("http://[::1]:4000/x", "http://[::1]:4000/x"),
        ("http://[::1]", "http://[::1]"),
    ] {
        assert_eq!(
            approval(&format!("[approval.github]\napi_url = \"{written}\"\n")).github.api_url,
            read,
            "{written}"
        );
    }
}

#[test]
fn an_address_that_would_show_the_token_or_is_none_is_refused() {
    const FORM: &str = "expected an address such as https://api.github.com";
    const OPEN: &str = "http shows the token to everybody on the way; expected https";
    for (written, problem) in [
        ("\"http://api.github.com\"", OPEN),
        ("\"http://127.0.0.1.example.com\"", OPEN),
        ("\"http://localhost.example.com/\"", OPEN),
        ("\"http://192.168.0.1:80\"", OPEN),
        ("\"http://127.0.0.1@example.com\"", FORM),
        ("\"https://me:secret@api.github.com\"", FORM),
        ("\"https://api.github.com?x=1\"", FORM),
        ("\"https://api.github.com/a b\"", FORM),
        ("\"https://api.github.com\\nX: y\"", FORM),
        ("\"https://\"", FORM),
        ("\"https:///api\"", FORM),
        ("\"https://:443\"", FORM),
        ("\"https://api.github.com:port\"", FORM),
        ("\"https://api.github.com:99999\"", FORM),
        ("\"https://api.github.com:+1\"", FORM),
        ("\"api.github.com\"", FORM),
        ("\"ftp://api.github.com\"", FORM),
        ("\"\"", FORM),
        ("3", FORM),
    ] {
        assert_eq!(said("approval.github", &format!("api_url = {written}")), problem, "{written}");
    }
}

#[test]
fn what_a_setting_of_approvals_cannot_be_is_said_with_what_it_can() {
    const NAMES: &str = "expected a list of names of accounts, such as [\"octocat\"]";
    const LABEL: &str = "expected 1 to 50 characters, without commas and without spaces around them";
    const PATH: &str = "expected an absolute path, or none";
    let long = format!("approved_label = \"{}\"", "x".repeat(51));
    for (line, problem) in [
        ("local = \"yes\"", "expected one of: terminal, anyone, off"),
        ("local = true", "expected one of: terminal, anyone, off"),
        ("approvers = \"octocat\"", NAMES),
        ("approvers = [3]", NAMES),
        ("approvers = [\"\"]", NAMES),
        ("approvers = [\"[bot]\"]", NAMES),
        ("approvers = [\"@octocat\"]", NAMES),
        ("approvers = [\"octocat, hubot\"]", NAMES),
        ("self_approval = \"yes\"", "expected true or false"),
        ("self_approval = 1", "expected true or false"),
        ("approved_label = \"\"", LABEL),
        ("approved_label = \" \"", LABEL),
        ("approved_label = \" go\"", LABEL),
        ("approved_label = \"a,b\"", LABEL),
        ("approved_label = \"a\\nb\"", LABEL),
        ("declined_label = [\"no\"]", LABEL),
        (long.as_str(), LABEL),
        ("poll_interval = 0", "at least 1 second"),
        ("poll_interval = \"none\"", "cannot be none"),
        ("default_ttl = 0", "at least 1 second; 'none' switches a limit off"),
        ("default_ttl = \"soon\"", "expected a duration such as 90, 30s, 15m, 1h30m"),
        ("github.token_file = \"token\"", PATH),
        ("github.token_file = \"~/token\"", PATH),
        ("github.token_file = \"\"", PATH),
        ("github.token_file = \"/a\\u0000b\"", PATH),
        ("github.token_command = \" \"", "there is no command in it"),
        ("github.token_command = [\"\"]", "there is no command in it"),
        (
            "github.token_command = 3",
            "expected a list of words such as [\"notify-send\", \"done\"], or a line for sh -c",
        ),
        ("github = 3", "expected a section, such as [queue]"),
    ] {
        assert_eq!(said("approval", line), problem, "{line}");
    }
}

#[test]
fn a_setting_of_approvals_that_is_not_there_is_named_with_the_nearest_one() {
    for (section, line, problem) in [
        (
            "approval",
            "aproved_label = \"x\"",
            "there is no setting approval.aproved_label; did you mean approval.approved_label?",
        ),
        (
            "approval",
            "gihub = { token_file = \"/t\" }",
            "there is no setting approval.gihub; did you mean approval.github?",
        ),
        (
            "approval.github",
            "token_fil = \"/t\"",
            "there is no setting approval.github.token_fil; did you mean approval.github.token_file?",
        ),
        (
            "approval.github",
            "secret = \"x\"",
            "there is no setting approval.github.secret; there are approval.github.api_url, \
             approval.github.token_file, approval.github.token_command",
        ),
    ] {
        assert_eq!(said(section, line), problem);
    }
}

#[test]
fn one_label_cannot_say_two_things() {
    for (lines, place, problem) in [
        (
            "approved_label = \"x\"\ndeclined_label = \"X\"",
            3,
            "approval.declined_label: the same label as approval.approved_label",
        ),
        (
            "approved_label = \"BG:declined\"",
            2,
            "approval.declined_label: the same label as approval.approved_label",
        ),
        (
            "waiting_label = \"bg:approved\"",
            2,
            "approval.waiting_label: the same label as approval.approved_label",
        ),
    ] {
        let mistakes = read(&format!("[approval]\n{lines}\n")).expect_err(lines);
        let [mistake] = mistakes.all() else { panic!("{lines}: {mistakes:?}") };
        assert_eq!((mistake.line, mistake.problem.as_str()), (place, problem), "{lines}");
    }
    let swapped =
        approval("[approval]\napproved_label = \"bg:declined\"\ndeclined_label = \"bg:approved\"\n");
    assert_eq!(
        (swapped.labels.approved.as_str(), swapped.labels.declined.as_str()),
        ("bg:declined", "bg:approved")
    );
}

#[test]
fn every_setting_that_is_shown_reads_back_as_it_is() {
    let text = "[approval]\nlocal = \"off\"\napprovers = [\"octo\\u0063at\"]\nself_approval = true\n\
        approved_label = \"say \\\"yes\\\"\"\npoll_interval = 90\ndefault_ttl = \"none\"\n\
        [approval.github]\napi_url = \"http://localhost:4000/\"\ntoken_file = \"/a \\\"b\\\"\"\ntoken_command = \"cat /t\"\n\
        [queue]\nmax_size = 7\n";
    for config in [Config::default(), Config::parse(text).unwrap()] {
        let mut shown = String::new();
        for section in SECTIONS {
            shown.push_str(&format!("[{}]\n", section.name));
            for setting in section.settings {
                shown.push_str(&format!("{} = {}\n", setting.name, (setting.get)(&config).to_toml()));
            }
        }
        let again = Config::parse(&shown).unwrap_or_else(|mistakes| panic!("{shown}\n{mistakes}"));
        for setting in SECTIONS.iter().flat_map(|section| section.settings) {
            assert_eq!((setting.get)(&again), (setting.get)(&config), "{}\n{shown}", setting.name);
        }
    }
}

#[test]
fn an_issue_is_shown_where_people_see_it() {
    let On::GitHub(Place { repository, .. }) = On::parse("github:o/r#5").unwrap() else { unreachable!() };
    for (api_url, seen) in [
        ("https://api.github.com", "https://github.com/o/r/issues/5"),
        ("https://github.acme.com/api/v3", "https://github.acme.com/o/r/issues/5"),
        ("https://api.acme.ghe.com", "https://acme.ghe.com/o/r/issues/5"),
    ] {
        let github = GitHub { api_url: api_url.to_owned(), token_file: None, token_command: None };
        assert_eq!(github.issue_url(&repository, 5), seen);
    }
}
