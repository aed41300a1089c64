//! Random sequences of commands and events against a plain model, over each store.
//!
//! [`step`] draws what is done, [`model`] says what has to come of it, [`sut`] and [`commands`] do it with the program, [`compare`]
//! looks at everything after each step, [`witness`] at every single write, [`tally`] at what was reached altogether.
//!
//! What is the real thing: the stores, each opened anew for each command; passes (`Pass::advance`, `act`, `remove`); all policies; the
//! decisions that the commands are made of (`submit::judge`, `waited_for`, `find_all`, `recur::put` and `begin`, `approve::answer`,
//! `rescue::end_under`, `retain::by_hand`, `depend::circle`). What is not: the clock, the executor, and the few lines with which `ops`
//! puts these decisions into a pass, because a `Home` has the system's clock and the local executor built in; [`commands`] names
//! the file that each of them stands for. `cli` and `processes` test those.
//!
//! A write is refused now and then: by a folder where the JSON store writes its new index, in memory by whoever decides.
//! Launches fail or are lost for a while, watchers vanish. What chance moves is known to the model by its bounds alone;
//! jitter of schedules, GitHub, sessions and limits of time are left out.
//!
//! A run of the quick form fails if a command was never taken, or never refused, if no job reached some state, or if something of
//! [`tally`]'s list never happened. `BG_TEST_SEED` repeats a run; what fails is made as short as it can be.
//!
//! Faults that were planted by hand in the program while this was written, all of them found by the quick form:
//!
//! | planted | caught as |
//! |---|---|
//! | `plan/pick.rs` ignores priorities | a job stands behind others than it should |
//! | `plan/pick.rs` does not count the slots that it gives away | more run than there are slots, at the write |
//! | `plan/pick.rs` starts jobs of a paused group | a job runs that should wait: group paused |
//! | `plan/retry.rs` grants one attempt too many | a job is queued that should have failed |
//! | `plan/depend.rs` takes a failure for a completion | a job runs that should be cancelled |
//! | `plan/retain.rs` lets a job go for which another waits | `prune` leaves another job where it should be |
//! | `plan/retain.rs` and `model/event.rs` remove a running job | it is gone and had not ended, at the write |
//! | `plan/admit.rs` counts each job of a batch | `start` is refused that should be taken |
//! | `plan/recur.rs` doubles the first wait after a failure | a restart after 20 s, not 10 |
//! | `model/facts/head.rs` keeps keys for ever | a tick forgets no key |
//! | `model/job.rs` counts an attempt that was given back | a job has an attempt behind it that never began |
//! | `store/memory.rs` keeps what was decided by whoever failed then | a change that was refused changed something |
//! | `store/json.rs` leaves the last event of a write out | the events are not the change |

mod commands;
mod compare;
mod executor;
mod model;
mod place;
mod step;
mod sut;
mod tally;
mod witness;

use crate::proof::{Proof, cases, seed};
use model::{Model, State};
use place::{AsLines, InFolder, InMemory, Place};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestError, TestRng, TestRunner};
use proptest_state_machine::{ReferenceStateMachine, StateMachineTest};
use std::marker::PhantomData;
use step::{Command, Step, Taste};
use sut::Sut;
use tally::Tally;

/// How many steps a case has.
const STEPS: std::ops::Range<usize> = 10..60;

/// With fewer cases not everything has to be reached.
const CASES_THAT_REACH_ALL: usize = 200;

#[test]
fn in_memory_the_program_does_what_the_model_says() {
    prove::<InMemory>("model.memory");
}

#[test]
fn in_a_folder_the_program_does_what_the_model_says() {
    prove::<InFolder>("model.json");
}

#[test]
fn as_lines_the_program_does_what_the_model_says() {
    prove::<AsLines>("model.jsonl");
}

#[test]
fn what_reaches_nothing_is_no_proof() {
    let missing = Tally::default().missing();
    assert!(missing.contains(&"no job was waiting_approval".to_owned()), "{missing:?}");
    assert!(missing.contains(&"there was never a dead letter".to_owned()), "{missing:?}");
    assert!(missing.contains(&"0 of 28 commands were drawn".to_owned()), "{missing:?}");
}

fn prove<P: Place>(name: &str) {
    let (cases, seed) = (cases(240, 4_000), seed());
    let config = Config {
        cases: u32::try_from(cases).unwrap_or(u32::MAX),
        failure_persistence: None,
        max_shrink_iters: 4_000,
        ..Config::default()
    };
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(config.clone(), rng);
    let result = runner.run(&Plain::sequential_strategy(STEPS), |(model, steps, seen)| {
        Machine::<P>::test_sequential(config.clone(), model, steps, seen);
        Ok(())
    });
    let tally = Tally::take();
    let failures = usize::from(result.is_err());
    Proof { name, cases, failures, remark: format!("seed {seed}; {}", tally.told()) }.tell();
    match result {
        Ok(()) => {}
        Err(TestError::Fail(why, (_, steps, _))) => {
            let steps: Vec<String> = steps.iter().map(|step| format!("\n  {step:?}")).collect();
            panic!("{why}\nseed {seed}; the shortest way there:{}", steps.concat())
        }
        Err(TestError::Abort(why)) => panic!("{why}\nseed {seed}"),
    }
    if cases >= CASES_THAT_REACH_ALL {
        assert_eq!(tally.missing(), [""; 0], "what is not reached is not proved");
    }
}

/// The model as a state machine.
struct Plain;

impl ReferenceStateMachine for Plain {
    type State = Model;
    type Transition = Step;

    fn init_state() -> BoxedStrategy<Model> {
        prop::sample::select(Taste::ALL.to_vec()).prop_map(Model::new).boxed()
    }

    fn transitions(model: &Model) -> BoxedStrategy<Step> {
        step::steps(model)
    }

    fn apply(mut model: Model, step: &Step) -> Model {
        model.take(step);
        model
    }

    /// What a watcher does, a watcher has to be there for. Everything else can be asked for at any time.
    fn preconditions(model: &Model, step: &Step) -> bool {
        use model::Sight::{Silent, Watched};
        match step.command {
            Command::Ends(number, _) | Command::TimesOut(number) | Command::Loses(number, _) => {
                let runs =
                    model.index.jobs.get(&number).is_some_and(|job| matches!(job.state, State::Running(_)));
                runs && matches!(model.sight(number), Watched | Silent)
            }
            _ => true,
        }
    }
}

/// The program over one kind of store.
struct Machine<P>(PhantomData<P>);

impl<P: Place> StateMachineTest for Machine<P> {
    type SystemUnderTest = Sut<P>;
    type Reference = Plain;

    fn init_test(_model: &Model) -> Sut<P> {
        Tally::change(Tally::begin);
        Sut::new()
    }

    fn apply(sut: Sut<P>, model: &Model, step: Step) -> Sut<P> {
        let said = sut.take(&step, model);
        sut.compare(&step, &said, model);
        Tally::change(|tally| tally.count(&step, model));
        sut
    }

    fn teardown(sut: Sut<P>, _model: Model) {
        Tally::change(|tally| {
            tally.written += sut.memory.written.get();
            tally.refused_writes += sut.memory.refused.get();
        });
    }
}
