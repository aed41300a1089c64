//! `docs/recipes.md` and `README.md`: every command that they show is run, in `sh` and in `bash`.

use super::transcript::{Page, Section};
use crate::support::User;

/// What a reader of a recipe has: files in the home. Programs of these recipes are real but for those of `PROGRAMS`.
const GIVEN: [(&str, &[(&str, &str)]); 13] = [
    ("A long build", &[("Makefile", MAKEFILE), ("package.sh", "echo packaged")]),
    ("A limit that is too short", &[("train.sh", "exec sleep 600")]),
    ("A command with a limit, in a script", &[("Makefile", MAKEFILE)]),
    ("A batch of conversions", &[("scans/one.txt", "1"), ("scans/two words.txt", "2"), ("scans/three.txt", "3")]),
    ("A nightly backup", &[("documents/letter.txt", "Dear all")]),
    ("A coding agent with a dev server and tests", &[("tests.sh", "echo test 1; exec sleep 600")]),
    ("A flaky upload", &[("upload.sh", "test -e tried && exit; touch tried; echo refused; exit 7")]),
    ("A pipeline", &[("fetch.sh", "printf 'b\\na\\nb\\n' >words.txt")]),
    ("The machine for yourself, over lunch", &[("render.sh", "exec sleep 600")]),
    ("A log that would fill the disk", &[]),
    ("Secrets", &[("deploy.sh", "test -n \"$TOKEN\""), (".env", "TOKEN=abc")]),
    ("Several at once", &[("web.sh", "echo GET /; echo GET /style.css"), ("worker.sh", "echo one done")]),
    ("Tidying up", &[]),
];

const MAKEFILE: &str = "all:\n\t@echo built\ntest:\n\t@echo tested\ndocs:\n\t@echo 'intro.md:3: no such link'; exit 2\n";

/// What must not be touched, or is not everywhere, in its place.
const PROGRAMS: [(&str, &str); 2] =
    [("crontab", "test \"$1\" = -l && exit\ncat >\"$HOME/crontab\""), ("pass", "echo TOKEN=def")];

/// Where there is no Python, something that says the same.
const PYTHON: &str = "echo 'Serving HTTP on 127.0.0.1'; exec sleep 600";

/// A user who has that.
fn reader(files: &[(&str, &str)]) -> User {
    let user = User::new();
    for (name, text) in PROGRAMS {
        program(&user, &format!("bin/{name}"), text);
    }
    if !["/usr/bin/python3", "/usr/local/bin/python3"].iter().any(|path| std::path::Path::new(path).exists()) {
        program(&user, "bin/python3", PYTHON);
    }
    for (name, text) in files {
        let name = format!("home/{name}");
        if name.ends_with(".sh") {
            program(&user, &name, text);
        } else {
            let path = user.path(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, format!("{text}\n")).unwrap();
        }
    }
    user
}

/// Written by another process: a file that this one has open for writing while a test forks cannot be executed.
fn program(user: &User, name: &str, text: &str) {
    super::help::write_program(&user.path(name), text);
}

/// Runs each section in both shells, each in a home of its own.
fn run_all(page: &Page, sections: &[Section], files: impl Fn(&str) -> &'static [(&'static str, &'static str)] + Sync) {
    let once = |section: &Section, shell: &str| page.run(section, &reader(files(&section.heading)), shell);
    let changes: Vec<_> = std::thread::scope(|scope| {
        let once = &once;
        let both = |section| (scope.spawn(move || once(section, "bash")), scope.spawn(move || once(section, "sh")));
        let running: Vec<_> = sections.iter().map(both).collect();
        // Both have to be right; the page shows one of them.
        running
            .into_iter()
            .flat_map(|(bash, sh)| {
                let (bash, sh) = (bash.join().unwrap(), sh.join().unwrap());
                if sh.is_empty() { bash } else { sh }
            })
            .collect()
    });
    page.settle(changes);
}

#[test]
fn every_recipe_does_what_it_says() {
    let page = Page::read("docs/recipes.md");
    let sections = page.sections();
    let headings: Vec<&str> = sections.iter().map(|section| section.heading.as_str()).collect();
    assert_eq!(headings, GIVEN.map(|(heading, _)| heading), "each recipe has what it needs");
    run_all(&page, &sections, |heading| GIVEN.iter().find(|(known, _)| *known == heading).unwrap().1);
}
