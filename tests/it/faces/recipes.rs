//! `docs/recipes.md` and `README.md`: every command that they show is run, in `sh` and in `bash`.

use super::transcript::{Page, Section};
use crate::support::{BGCTL, User};
use std::path::Path;

/// What a section needs and does beside what it shows.
struct World {
    heading: &'static str,
    /// Files in the reader's home. The programs of the recipes are real but for these and those of `PROGRAMS`.
    files: &'static [(&'static str, &'static str)],
    /// What is true afterwards, for a shell in that home.
    then: &'static str,
}

const RECIPES: [World; 23] = [
    World {
        heading: "A long build",
        files: &[("Makefile", MAKEFILE), ("package.sh", "touch packaged"), ("check.sh", CHECK)],
        then: "test -e packaged",
    },
    World {
        heading: "A limit that is too short",
        files: &[("train.sh", FOREVER)],
        then: "test \"$(bgctl list --name train --format '{timeout}')\" = 28800",
    },
    World {
        heading: "A command with a limit, in a script",
        files: &[("Makefile", MAKEFILE)],
        then: "test -e tested",
    },
    World {
        heading: "A batch of conversions",
        files: &[("scans/one.txt", "1"), ("scans/two words.txt", "2"), ("scans/three.txt", "3")],
        then: "test \"$(zcat scans/*.gz)\" = \"$(printf '1\\n3\\n2')\" && bgctl | grep '0 of 4 slots'",
    },
    World {
        heading: "Many commands at once",
        files: &[
            ("words.txt", "b\na\nb"),
            ("two words.txt", "2"),
            ("render.sh", "test \"$2\" = \"$BG_ARRAY_INDEX\" && touch frame-$2"),
        ],
        then: "test \"$(cat sorted.txt)\" = \"$(printf 'a\\nb')\" && test \"$(cat count.txt)\" -eq 3 &&
        zcat 'two words.txt.gz' sorted.txt.gz && test -e frame-1 && test -e frame-3",
    },
    World {
        heading: "A nightly backup",
        files: &[("documents/letter.txt", "Dear all")],
        then: "bgctl wait backup && tar -tzf backup.tar.gz documents/letter.txt && crontab -l | grep -c ' tick --report failures '",
    },
    World {
        heading: "A coding agent with a dev server and tests",
        files: &[("tests.sh", FOREVER)],
        then: "test -z \"$(bgctl list --status active --format '{id}')\"",
    },
    World {
        heading: "A flaky upload",
        files: &[("upload.sh", "test \"$BG_ATTEMPT\" -gt 1 && echo sent && exit; echo could not connect; exit 7")],
        then: "test \"$(bgctl list --name upload --format '{status} {attempt}')\" = 'completed 2'",
    },
    World {
        heading: "What failed for good",
        files: &[("mirror.sh", "test -e network && exit; echo no route to host; exit 7")],
        then: "bgctl dead 2>&1 | grep 'no dead letter' && test \"$(bgctl list --all --name mirror --format '{status}' |
        sort | tr '\\n' ' ')\" = 'completed failed '",
    },
    World {
        heading: "Is all well?",
        files: &[("../before.sh", "bgctl start --quiet --wait --name backup -- echo kept")],
        then: "grep -q '1 completed' report.txt",
    },
    World {
        heading: "Metrics for Prometheus",
        files: &[("metrics/other.prom", "")],
        then: "grep -q '^bgctl_queue_waiting 0' metrics/bgctl.prom && ! test -e metrics/bgctl.prom.tmp",
    },
    World {
        heading: "A message when something fails",
        files: &[
            ("bin/notify-send", "echo \"$@\" >>told"),
            ("mail-me.sh", "tail -n 20 \"$BG_EVENT_LOG\" >mailed"),
            ("train.sh", "echo trained"),
        ],
        then: "until grep -q 'nightly failed exit code 7' told && grep -q trained mailed; do sleep 0.02; done",
    },
    World {
        heading: "One job, asked for from two places",
        files: &[("index.sh", "echo made >>made")],
        then: "test \"$(cat made)\" = made",
    },
    World {
        heading: "A pipeline",
        files: &[
            ("fetch.sh", "printf 'b\\na\\nb\\n' >words.txt"),
            ("report.sh", "cp counts.txt report"),
        ],
        then: "grep -q '2 b' report && ! test -e words.txt",
    },
    World {
        heading: "A plan that somebody has to look at",
        files: &[
            ("scratch/old.tmp", ""),
            ("scratch/keep.txt", ""),
            ("../before.sh", WITHOUT_A_TERMINAL),
            ("../bin/bgctl", PATIENT_WITH_PEOPLE),
        ],
        then: "test \"$(bgctl list --all --name clean --format '{answers}' | grep -c 'old scans')\" = 1",
    },
    World {
        heading: "One GPU",
        files: &[("train.sh", FOREVER), ("notes.sh", "echo noted")],
        then: "test \"$(bgctl list --status active --format '{name} {status}' | sort | tr '\\n' ' ')\" = \
               'train-a running train-b queued ' && ! bgctl group | grep paused",
    },
    World {
        heading: "The machine for yourself, over lunch",
        files: &[("render.sh", FOREVER)],
        then: "test -z \"$(bgctl list --format '{status}' | grep paused)\"",
    },
    World {
        heading: "A program that takes orders",
        files: &[
            ("calc.sh", "while read -r line; do echo $(($line)); done"),
            ("server.sh", "trap '' HUP; echo listening; exec sleep 600"),
        ],
        then: "test \"$(bgctl list --format '{status}' --name server)\" = running && bgctl cancel --quiet server >/dev/null",
    },
    World { heading: "A log that would fill the disk", files: &[], then: "" },
    World {
        heading: "Secrets",
        files: &[("deploy.sh", "test -n \"$TOKEN\""), (".env", "TOKEN=abc")],
        then: "bgctl wait deploy staging",
    },
    World {
        heading: "Several at once",
        files: &[("web.sh", "echo GET /; echo GET /style.css"), ("worker.sh", "echo one done")],
        then: "",
    },
    World {
        heading: "Many jobs in a script",
        files: &[("test.sh", "test \"$1\" != 2 || exit 3; exec sleep 600")],
        then: "test \"$(bgctl list --all --status cancelled --format '{id}' | wc -l)\" = 3 && grep -q failed report.json",
    },
    World { heading: "Tidying up", files: &[], then: "! bgctl status @" },
];

const README: [World; 6] = [
    World {
        heading: "",
        files: &[
            ("Makefile", "all:\n\t@echo compiling one.c\n\t@until test -e awaited; do sleep 0.02; done"),
            ("ship.sh", "echo shipped"),
            ("../bin/bgctl", PATIENT),
        ],
        then: "",
    },
    World { heading: "Install", files: &[], then: "crontab -l | grep -c ' tick --report failures '" },
    World {
        heading: "A tour",
        files: &[
            ("Makefile", MAKEFILE),
            ("big", "b"),
            ("train.sh", FOREVER),
            (".env", "WORD=one"),
            ("serve", "test \"$WORD\" = one"),
            ("deploy.sh", "true"),
            ("../bin/npm", "echo listening on port 3000; exec sleep 600"),
            ("check.sh", CHECK),
            ("convert.sh", "test \"$1\" -gt 0"),
            ("../before.sh", BEFORE_THE_TOUR),
        ],
        then: "test \"$(bgctl list --all --status completed --format '{name}' | wc -l)\" -ge 25",
    },
    World {
        heading: "A queue",
        files: &[
            ("Makefile", "all:\n\t@echo made\ntest:\n\t@echo tested"),
            ("deploy.sh", "echo deployed"),
            ("hotfix.sh", "echo mended"),
            ("fetch.sh", "test \"$BG_ATTEMPT\" = 2"),
            ("report.sh", "echo reported"),
            ("tidy.sh", "echo tidied"),
            ("convert.sh", "test \"$1\" -gt 0"),
        ],
        then: "test \"$(bgctl list --all --status completed --format '{id}' | wc -l)\" = 28",
    },
    World {
        heading: "Again and again",
        files: &[("fetch.sh", "echo fetched"), ("backup.sh", "echo kept")],
        then:
            "test \"$(bgctl list --all --schedule backup --format '{status} {name}')\" = 'completed backup' &&
        bgctl schedule list news | grep -q paused",
    },
    World {
        heading: "Ask first",
        files: &[("deploy.sh", "touch deployed"), ("../before.sh", WITHOUT_A_TERMINAL)],
        then: "bgctl wait deploy && test -e deployed",
    },
];

/// Blocks of README.md that are not run here but by the tests of `install`.
const INSTALLED: [&str; 2] = ["musl=$(uname -m)", "cargo install --locked cargo-deb"];

const MAKEFILE: &str = "all:\n\t@echo built\ntest:\n\t@touch tested\n";
const CHECK: &str = "echo 'intro.md:3: no such link'; exit 2";
const FOREVER: &str = "echo begun; exec sleep 600";

/// What a page shows should not hang on how fast a machine is: one looks when the job has written, and the job goes on
/// until it is waited for.
const PATIENT: &str = "case $1 in
list | logs) until grep -qs . \"$BG_HOME\"/runs/*.log; do sleep 0.02; done ;;
wait) touch awaited ;;
esac
exec REAL \"$@\"";

/// Nobody sits there to be asked: whoever types approve means it.
const WITHOUT_A_TERMINAL: &str = "printf '[approval]\\nlocal = \"anyone\"\\n' >\"$BG_HOME/config.toml\"";

/// A person looks when there is something to look at.
const PATIENT_WITH_PEOPLE: &str = "case \"$1 ${2-}\" in
'approval ') until REAL list --status waiting --format '{id}' | grep -q .; do sleep 0.02; done ;;
esac
exec REAL \"$@\"";

/// What the tour takes for given: room for all its jobs, and two that were started before.
const BEFORE_THE_TOUR: &str = "bgctl start --quiet --wait --name build -- echo built
bgctl start --quiet --wait --name tests -- echo tested
printf '[queue]\\nmax_concurrent = 9\\n' >\"$BG_HOME/config.toml\"";

/// What must not be touched, or is not everywhere, in its place.
const PROGRAMS: [(&str, &str); 2] = [("crontab", CRONTAB), ("pass", "echo TOKEN=def")];

const CRONTAB: &str = "case $1 in
-l) cat \"$HOME/crontab\" 2>/dev/null || : ;;
-) cat >\"$HOME/crontab.new\"; mv \"$HOME/crontab.new\" \"$HOME/crontab\" ;;
*) exit 1 ;;
esac";

/// Where there is no Python, something that says the same.
const PYTHON: &str = "echo 'Serving HTTP on 127.0.0.1'; exec sleep 600";

/// A user who has that.
fn reader(world: &World) -> User {
    let user = User::new();
    user.make_root();
    std::fs::create_dir(user.path("home/.config")).unwrap();
    std::os::unix::fs::symlink(user.root(), user.path("home/.config/bg")).unwrap();
    std::fs::create_dir(user.path("bin")).unwrap();
    for (name, text) in PROGRAMS {
        program(&user, &format!("bin/{name}"), text);
    }
    if !["/usr/bin/python3", "/usr/local/bin/python3"].iter().any(|path| Path::new(path).exists()) {
        program(&user, "bin/python3", PYTHON);
    }
    for (name, text) in world.files {
        let path = user.path("home").join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let is_data = ["Makefile", "big", ".env"].contains(name);
        if is_data || path.extension().is_some_and(|extension| extension == "txt") {
            std::fs::write(path, format!("{text}\n")).unwrap();
        } else {
            program(&user, &format!("home/{name}"), &text.replace("REAL", BGCTL));
        }
    }
    if !user.path("bin/bgctl").exists() {
        std::os::unix::fs::symlink(BGCTL, user.path("bin/bgctl")).unwrap();
    }
    user
}

/// Written by another process: a file that this one has open for writing while a test forks cannot be executed.
fn program(user: &User, name: &str, text: &str) {
    super::help::write_program(&user.path(name), text);
}

/// Runs each section in both shells, each in a home of its own.
fn run_all(page: &Page, sections: &[Section], worlds: &[World]) {
    let headings = sections.iter().map(|section| section.heading.as_str());
    assert!(headings.eq(worlds.iter().map(|world| world.heading)), "each section has its world");
    let once = |section: &Section, world: &World, shell: &str| {
        let user = reader(world);
        if user.path("before.sh").exists() {
            page.shell(&user, "sh", &std::fs::read_to_string(user.path("before.sh")).unwrap());
        }
        let changes = page.run(section, &user, shell);
        page.shell(&user, "sh", world.then);
        changes
    };
    let changes: Vec<_> = std::thread::scope(|scope| {
        let once = &once;
        let both = |(section, world)| {
            (
                scope.spawn(move || once(section, world, "bash")),
                scope.spawn(move || once(section, world, "sh")),
            )
        };
        let running: Vec<_> = sections.iter().zip(worlds).map(both).collect();
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
    run_all(&page, &page.sections(), &RECIPES);
}

#[test]
fn what_the_readme_shows_is_what_one_sees() {
    let page = Page::read("README.md");
    run_all(&page, &page.sections_without(&INSTALLED), &README);
}
