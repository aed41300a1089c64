//! Names to addresses.
//!
//! The programs for Linux are static, and `getaddrinfo` of a static glibc loads the modules that the machine's
//! `/etc/nsswitch.conf` names, with a second C library that need not fit the first: what they know goes missing, or the program
//! dies of SIGSEGV (rust-lang/rust#100711); that of musl asks nobody whom the file names. So `getent`, a dynamic program that comes
//! with glibc, is asked for them, and our own `getaddrinfo` only where there is none; a numeric address and `localhost` need
//! nobody.

use crate::os::answer::{Answer, NoAnswer, ask};
use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::process::{Command, Stdio};
use std::time::Duration;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;
use ureq::{Error, Timeout};

/// Whether the C library cannot be trusted with names.
const IS_STATIC: bool = cfg!(all(target_os = "linux", target_feature = "crt-static"));

/// Longest wait where the request has no limit, and the longest answer.
const ASK_LIMIT: Duration = Duration::from_secs(10);
const ASK_BYTES_MAX: usize = 16 * 1_024;
/// The most addresses that are tried.
const ADDRESSES_MAX: usize = 16;

/// What finds the addresses of a host.
#[derive(Debug, Default)]
pub(super) struct Names {
    standard: DefaultResolver,
}

impl Resolver for Names {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, Error> {
        let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
        let whole = uri
            .scheme()
            .zip(uri.authority())
            .and_then(|(scheme, authority)| DefaultResolver::host_and_port(scheme, authority));
        let port = whole.and_then(|whole| whole.rsplit_once(':')?.1.parse().ok());
        let Some(port) = port else { return Err(Error::HostNotFound) };
        let known = match known(host) {
            None if IS_STATIC => {
                asked("getent", host, ASK_LIMIT.min(*timeout.after)).map_err(|error| match error {
                    NoAnswer::Late => Error::Timeout(Timeout::Resolve),
                    NoAnswer::System(error) => Error::Io(error),
                })?
            }
            known => known,
        };
        let Some(found) = known else { return self.standard.resolve(uri, config, timeout) };
        if found.is_empty() {
            return Err(Error::HostNotFound);
        }
        let mut addresses = self.empty();
        for address in found.into_iter().take(ADDRESSES_MAX) {
            addresses.push(SocketAddr::new(address, port));
        }
        Ok(addresses)
    }
}

/// The addresses that need no asking.
fn known(host: &str) -> Option<Vec<IpAddr>> {
    if host.eq_ignore_ascii_case("localhost") {
        return Some(vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]);
    }
    host.parse().ok().map(|address| vec![address])
}

/// What `getent ahosts` says, in the order in which the system would try them; an empty list where nobody knows the name.
/// `None`: it is not there, or is another program than that of glibc.
fn asked(getent: &str, host: &str, limit: Duration) -> Result<Option<Vec<IpAddr>>, NoAnswer> {
    /// `getent(1)`: "One or more supplied key could not be found in the database."
    const UNKNOWN: i32 = 2;
    let mut command = Command::new(getent);
    command.args(["ahosts", "--", host]).stderr(Stdio::null());
    match ask(&mut command, limit, ASK_BYTES_MAX) {
        Ok(Answer { status, output }) => Ok(match status.code() {
            Some(0) => Some(addresses(&String::from_utf8_lossy(&output))),
            Some(UNKNOWN) => Some(Vec::new()),
            _ => None,
        }),
        Err(NoAnswer::System(error)) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Reads `140.82.121.6    STREAM api.github.com`, a line for each address and kind of socket.
fn addresses(said: &str) -> Vec<IpAddr> {
    let mut found = Vec::new();
    for line in said.lines() {
        let address = line.split_whitespace().next().and_then(|word| word.parse().ok());
        if let Some(address) = address.filter(|address| !found.contains(address)) {
            found.push(address);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    /// A program that stands for `getent`.
    fn program(script: &str) -> (tempfile::TempDir, String) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("getent");
        // Written by another process: a file that is open here for writing, in any thread, cannot be executed.
        let put = "printf '#!/bin/sh\\n%s\\n' \"$2\" > \"$1\" && chmod 700 \"$1\"";
        let wrote = Command::new("sh").args(["-c", put, "sh"]).arg(&path).arg(script).status().unwrap();
        assert!(wrote.success());
        let name = path.to_str().unwrap().to_owned();
        (dir, name)
    }

    #[test]
    fn numbers_and_localhost_need_no_asking() {
        assert_eq!(known("192.0.2.1"), Some(vec![at("192.0.2.1")]));
        assert_eq!(known("::1"), Some(vec![at("::1")]));
        assert_eq!(known("LocalHost"), Some(vec![at("127.0.0.1"), at("::1")]));
        assert_eq!(known("api.github.com"), None);
        assert_eq!(known("localhost.example.org"), None);
    }

    #[test]
    fn each_address_is_taken_once_and_in_order() {
        let said = "2001:db8::1     STREAM api.example.org\n2001:db8::1     DGRAM  \n2001:db8::1     RAW    \n\
                    192.0.2.9       STREAM \nfe80::1%1       STREAM x\nnonsense\n\n";
        assert_eq!(addresses(said), [at("2001:db8::1"), at("192.0.2.9")]);
    }

    #[test]
    fn a_name_is_asked_for_and_never_taken_for_an_option() {
        let (_dir, getent) = program("test \"$*\" = 'ahosts -- -x.example.org' && echo 192.0.2.9 STREAM");
        assert_eq!(asked(&getent, "-x.example.org", ASK_LIMIT).unwrap(), Some(vec![at("192.0.2.9")]));
    }

    #[test]
    fn a_name_that_nobody_knows_has_no_addresses() {
        let (_dir, getent) = program("echo 192.0.2.9; exit 2");
        assert_eq!(asked(&getent, "nobody.example.org", ASK_LIMIT).unwrap(), Some(Vec::new()));
    }

    #[test]
    fn who_gives_no_answer_in_time_is_not_waited_for() {
        let (_dir, getent) = program("exec sleep 1000");
        assert!(matches!(asked(&getent, "x", Duration::from_millis(50)), Err(NoAnswer::Late)));
    }

    #[test]
    fn where_there_is_no_such_program_or_another_one_it_says_nothing() {
        assert_eq!(asked("/no/such/getent", "x", ASK_LIMIT).unwrap(), None);
        let (_dir, getent) = program("echo 192.0.2.9; exit 1");
        assert_eq!(asked(&getent, "x", ASK_LIMIT).unwrap(), None);
    }
}
