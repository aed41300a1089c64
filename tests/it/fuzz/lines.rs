//! An index of lines: what is read is written as it was, it is read piece by piece as it is as a whole, what is cut short or damaged
//! makes nothing up, and the other form says the same.

use super::{Target, index::now, mutate::Corpus};
use crate::proof;
use bgctl::model::{
    event::Event,
    facts::{Draft, Facts, Unreadable, salvage_lines},
    group::GroupChange,
    job::Job,
};

#[test]
fn an_index_of_lines_is_written_as_it_was_read_and_never_made_up() {
    let corpus = Corpus::of(seeds());
    Target { name: "fuzz.lines", corpus: &corpus, cases: proof::cases(2_000, 25_000) }.run(|bytes| {
        let facts = read(bytes);
        salvages(bytes, facts.as_ref());
        facts.is_some()
    });
}

/// Each index of the other form as lines, and with a few changes behind it.
fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for text in Corpus::of_files("index").seeds {
        let Ok(facts) = Facts::parse(text) else { continue };
        if facts.writable().is_err() || facts.check().is_err() {
            continue;
        }
        let begun = facts.to_lines(now());
        let mut facts = Facts::parse_lines(begun.clone()).unwrap();
        let ids: Vec<_> =
            facts.heads().filter(|head| head.status.has_ended()).map(|head| head.id.clone()).collect();
        let groups = ["gpu", "net"]
            .map(|group| Event::Grouped { group: group.to_owned(), change: GroupChange::Slots { slots: 3 } });
        let removals = ids.into_iter().take(2).map(|id| Event::Removed { id });
        for event in removals.chain(groups) {
            let mut draft = Draft::new(facts);
            draft.push(event).unwrap();
            facts = draft.into_parts().0;
            let addition = facts.addition(now());
            facts.settle(addition);
        }
        seeds.extend([begun, facts.text().to_vec()]);
    }
    assert!(seeds.len() > 4);
    seeds
}

type Said = (Vec<Result<Option<Job>, String>>, u64);

fn said(facts: &Facts) -> Said {
    let jobs = facts.heads().map(|head| facts.job(&head.id).map_err(|damage| damage.message)).collect();
    (jobs, facts.last_event())
}

/// Reads a text as an index of lines; `None` where it is none.
fn read(bytes: &[u8]) -> Option<Facts> {
    let facts = match Facts::parse_lines(bytes) {
        Ok(facts) => facts,
        Err(Unreadable::Damaged(damage)) => {
            let lines = bytes.split(|byte| *byte == b'\n').count();
            assert!((1..=lines).contains(&damage.line) && damage.column >= 1, "{damage}: of {lines} lines");
            assert!(!damage.message.is_empty());
            return None;
        }
        Err(_) => return None,
    };
    assert!(bytes.starts_with(facts.text()), "what counts is the beginning");
    // Piece by piece: what was read is gone on from at the end of each change.
    let mut follower: Option<Facts> = None;
    for (place, _) in facts.text().iter().enumerate().filter(|(_, byte)| **byte == b'\n') {
        let so_far = &facts.text()[..=place];
        match &mut follower {
            None => follower = Facts::parse_lines(so_far).ok(),
            Some(follower) => {
                let from = usize::try_from(follower.lines_length()).unwrap();
                follower.absorb(&so_far[from..]).unwrap();
            }
        }
    }
    let follower = follower.expect("it begins with a whole change");
    assert_eq!(said(&follower), said(&facts));
    assert_eq!(follower.tables(), facts.tables());
    // Whole, and in the other form.
    let anew = Facts::parse_lines(facts.to_lines(now())).unwrap();
    assert_eq!((said(&anew), anew.tables()), (said(&facts), facts.tables()));
    let other = Facts::parse(facts.to_bytes(now())).unwrap();
    assert_eq!((said(&other), other.tables()), (said(&facts), facts.tables()));
    Some(facts)
}

/// What a rebuild would take from it: of a sound index all, and of another nothing that does not stand there.
fn salvages(bytes: &[u8], facts: Option<&Facts>) {
    let salvaged = match salvage_lines(bytes) {
        Ok(salvaged) => salvaged,
        Err(Unreadable::Newer(_) | Unreadable::Requires(_)) => return,
        Err(other) => panic!("{other}"),
    };
    let mut ids: Vec<_> = salvaged.entries.iter().map(|(job, _)| job.id.clone()).collect();
    assert!(ids.iter().all(|id| !salvaged.torn.contains(id)));
    if let Some(facts) = facts.filter(|facts| facts.check().is_ok()) {
        let mut there: Vec<_> = facts.heads().map(|head| head.id.clone()).collect();
        there.sort();
        ids.sort();
        assert_eq!(ids, there, "{}", String::from_utf8_lossy(bytes));
        assert_eq!(salvaged.torn, []);
    }
    let made = salvaged.into_facts(Vec::new(), 0).unwrap();
    made.check().unwrap();
    made.writable().unwrap();
}
