//! The licences of what the program is made of, and of itself, from what cargo has on this machine. Only where it never downloaded
//! the packages of the other systems, it does that first.
//!
//! `cargo metadata` tells the dependencies and their licences; `deny.toml` says which licences are accepted. For the systems that
//! the program is made for, everything that is linked into it has to be usable under one of them. `cargo deny check`, where it
//! is installed, looks at the same for the tests as well, and at advisories.

use serde_json::Value;
use spdx::{Expression, LicenseReq, ParseMode};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

/// A package by its id.
type Packages = BTreeMap<String, Value>;

fn here(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn deny() -> toml::Table {
    std::fs::read_to_string(here("deny.toml")).unwrap().parse().unwrap()
}

fn texts(value: &toml::Value) -> Vec<String> {
    value.as_array().unwrap().iter().map(|one| one.as_str().unwrap().to_owned()).collect()
}

fn accepted() -> BTreeSet<String> {
    texts(&deny()["licenses"]["allow"]).into_iter().collect()
}

/// What cargo knows of the dependencies for these systems. A build gets those of its own system only, so that the others may
/// still have to be downloaded: then, and only then, the network is needed.
fn metadata() -> Value {
    let known = |more: &[&str]| {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["metadata", "--format-version", "1", "--locked"]).args(more).current_dir(here(""));
        for target in texts(&deny()["graph"]["targets"]) {
            cargo.args(["--filter-platform", &target]);
        }
        cargo.output().unwrap()
    };
    let mut ran = known(&["--offline"]);
    if !ran.status.success() {
        ran = known(&[]);
    }
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    serde_json::from_slice(&ran.stdout).unwrap()
}

/// The packages that become part of the program: what it depends on, but for building and testing alone.
fn shipped(metadata: &Value) -> Packages {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let list = |value: &Value| value.as_array().unwrap().clone();
    let nodes: BTreeMap<String, Value> =
        list(&metadata["resolve"]["nodes"]).into_iter().map(|node| (text(&node["id"]), node)).collect();
    let mut found = BTreeSet::new();
    let mut open = vec![text(&metadata["resolve"]["root"])];
    while let Some(id) = open.pop() {
        if !found.insert(id.clone()) {
            continue;
        }
        let is_linked =
            |dependency: &&Value| list(&dependency["dep_kinds"]).iter().any(|kind| kind["kind"].is_null());
        let dependencies = list(&nodes[&id]["deps"]);
        open.extend(dependencies.iter().filter(is_linked).map(|dependency| text(&dependency["pkg"])));
    }
    let packages = list(&metadata["packages"]).into_iter().map(|package| (text(&package["id"]), package));
    packages.filter(|(id, _)| found.contains(id)).collect()
}

/// What stands in the way of using it, where something does.
fn trouble(package: &Value, accepted: &BTreeSet<String>) -> Option<String> {
    let name = package["name"].as_str().unwrap();
    let Some(license) = package["license"].as_str() else { return Some(format!("{name} says no licence")) };
    let Ok(expression) = Expression::parse_mode(license, ParseMode::LAX) else {
        return Some(format!("{name}: {license:?} is no expression of licences"));
    };
    let is_accepted = |wanted: &LicenseReq| wanted.license.id().is_some_and(|id| accepted.contains(id.name));
    (!expression.evaluate(is_accepted)).then(|| format!("{name} is under {license}"))
}

#[test]
fn everything_in_the_program_is_under_an_accepted_licence() {
    let metadata = metadata();
    let packages = shipped(&metadata);
    let names: BTreeSet<&str> = packages.values().map(|package| package["name"].as_str().unwrap()).collect();
    for known in ["bgctl", "clap", "rustix", "ring", "sysinfo"] {
        assert!(names.contains(known), "{known} is not among {names:?}");
    }
    assert!(!names.contains("proptest") && !names.contains("jsonschema"), "those are for tests: {names:?}");
    let accepted = accepted();
    let troubles: Vec<String> = packages.values().filter_map(|package| trouble(package, &accepted)).collect();
    assert!(troubles.is_empty(), "{troubles:#?}; {} packages", packages.len());
}

#[test]
fn every_dependency_comes_from_the_registry_that_the_lock_file_names() {
    const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";
    let lock: toml::Table = std::fs::read_to_string(here("Cargo.lock")).unwrap().parse().unwrap();
    let packages = lock["package"].as_array().unwrap();
    for package in packages {
        let source = package.get("source").and_then(toml::Value::as_str);
        let is_own = package["name"].as_str() == Some("bgctl");
        assert_eq!(source, (!is_own).then_some(REGISTRY), "{}", package["name"]);
        assert_eq!(package.get("checksum").is_some(), !is_own, "{}", package["name"]);
    }
    assert!(packages.len() > 100);
}

#[test]
fn a_licence_that_is_not_accepted_is_found() {
    let accepted = accepted();
    let of = |license: Value| serde_json::json!({"name": "x", "license": license});
    for bad in ["GPL-3.0-only", "MIT AND GPL-2.0-only", "SSPL-1.0", "none"] {
        assert!(trouble(&of(bad.into()), &accepted).is_some(), "{bad}");
    }
    assert!(trouble(&of(Value::Null), &accepted).is_some());
    for good in ["MIT/Apache-2.0", "Unlicense OR MIT", "(MIT OR GPL-3.0-only) AND Unicode-3.0"] {
        assert_eq!(trouble(&of(good.into()), &accepted), None);
    }
}

#[test]
fn the_program_has_the_licences_that_it_names() {
    let manifest: toml::Table = std::fs::read_to_string(here("Cargo.toml")).unwrap().parse().unwrap();
    let license = manifest["package"]["license"].as_str().unwrap();
    let named: BTreeSet<&str> = license.split(" OR ").collect();
    let there = [("MIT", "LICENSE-MIT", "MIT License"), ("Apache-2.0", "LICENSE-APACHE", "Apache License")];
    assert_eq!(named, there.iter().map(|(name, ..)| *name).collect());
    for (name, file, title) in there {
        let text = std::fs::read_to_string(here(file)).unwrap();
        assert!(text.lines().take(3).any(|line| line.trim() == title), "{file} is not the text of {name}");
    }
}
