//! A real session: a Kerberos ticket of some seconds, from a key distribution centre on loopback that the test starts, is kept
//! alive for several of its lifetimes.

use crate::support::{EVENT_MAX, User, until};
use std::io::Write;
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long a ticket is valid.
const TICKET: Duration = Duration::from_secs(20);

/// The programs, and where Debian puts them beside where everybody looks.
const PROGRAMS: [&str; 5] = ["krb5kdc", "kdb5_util", "kadmin.local", "kinit", "klist"];
const PATH: &str = "/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin";

/// A realm with one principal. Dropped, its process is ended.
struct Realm<'a> {
    user: &'a User,
    kdc: Child,
}

impl Drop for Realm<'_> {
    fn drop(&mut self) {
        let _ = self.kdc.kill();
        let _ = self.kdc.wait();
    }
}

fn is_installed(program: &str) -> bool {
    PATH.split(':').any(|folder| PathBuf::from(folder).join(program).exists())
}

/// A port of loopback that is free for both protocols.
fn free_port() -> u16 {
    let is_free = |port: &u16| UdpSocket::bind((Ipv4Addr::LOCALHOST, *port)).is_ok();
    let port = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
    std::iter::repeat_with(port).find(is_free).unwrap()
}

impl<'a> Realm<'a> {
    fn start(user: &'a User) -> Self {
        // Between the look and the start somebody else may take the port: then it is another one.
        for _ in 0..5 {
            let port = free_port();
            write_configuration(user, port);
            if !user.path("principal").exists() {
                make_database(user);
            }
            let mut command = kerberos(user, "krb5kdc");
            command.arg("-n").stdout(Stdio::null()).stderr(Stdio::null());
            let mut realm = Self { user, kdc: command.spawn().unwrap() };
            let deadline = Instant::now() + EVENT_MAX;
            while realm.kdc.try_wait().unwrap().is_none() && Instant::now() < deadline {
                if realm.login() {
                    return realm;
                }
                std::thread::sleep(Duration::from_millis(50));
            }
        }
        panic!("no key distribution centre could be started");
    }

    /// Gets a ticket with the password, as a person does in the morning.
    fn login(&self) -> bool {
        let life = format!("{}s", TICKET.as_secs());
        let mut command = kerberos(self.user, "kinit");
        command.args(["-l", &life, "-r", "1h", "alice@TEST"]);
        let mut kinit =
            command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        // It may have left without asking.
        let _ = kinit.stdin.take().unwrap().write_all(b"secret\n");
        kinit.wait().unwrap().success()
    }

    fn is_valid(&self) -> bool {
        kerberos(self.user, "klist").arg("-s").status().unwrap().success()
    }
}

/// A program of Kerberos that knows of this test's realm and of no other.
fn kerberos(user: &User, program: &str) -> Command {
    let mut command = user.command("/usr/bin/env");
    command.arg(program).env("PATH", PATH);
    for (name, value) in variables(user) {
        command.env(name, value);
    }
    command
}

fn variables(user: &User) -> [(&'static str, String); 3] {
    let path = |name: &str| user.path(name).display().to_string();
    [
        ("KRB5_CONFIG", path("krb5.conf")),
        ("KRB5_KDC_PROFILE", path("kdc.conf")),
        ("KRB5CCNAME", format!("FILE:{}", path("tickets"))),
    ]
}

fn write_configuration(user: &User, port: u16) {
    let folder = user.path("").display().to_string();
    let folder = folder.trim_end_matches('/');
    let configuration = format!(
        "[libdefaults]\n default_realm = TEST\n dns_lookup_kdc = false\n dns_lookup_realm = false\n rdns = false\n\
         [realms]\n TEST = {{\n  kdc = 127.0.0.1:{port}\n }}\n"
    );
    let of_centre = format!(
        "[kdcdefaults]\n kdc_listen = 127.0.0.1:{port}\n kdc_tcp_listen = 127.0.0.1:{port}\n\
         [realms]\n TEST = {{\n  database_name = {folder}/principal\n  key_stash_file = {folder}/stash\n  \
         acl_file = {folder}/acl\n  max_life = 1h\n  max_renewable_life = 1d\n }}\n\
         [logging]\n kdc = FILE:{folder}/kdc.log\n"
    );
    std::fs::write(user.path("krb5.conf"), configuration).unwrap();
    std::fs::write(user.path("kdc.conf"), of_centre).unwrap();
}

fn make_database(user: &User) {
    let run = |program: &str, arguments: &[&str]| {
        let output = kerberos(user, program).args(arguments).output().unwrap();
        assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    };
    run("kdb5_util", &["-r", "TEST", "create", "-s", "-P", "master"]);
    for query in
        ["addprinc -pw secret -maxlife 1h -maxrenewlife 1d alice", "modprinc -maxrenewlife 1d krbtgt/TEST"]
    {
        run("kadmin.local", &["-r", "TEST", "-q", query]);
    }
}

/// What a user writes: until when the first ticket is valid, in seconds since 1970.
const EXPIRES: &str = "#!/bin/sh\nwhen=$(klist | awk '/krbtgt/ { print $3, $4; exit }')\ntest -n \"$when\" && date -d \"$when\" +%s\n";

#[test]
fn a_kerberos_ticket_is_renewed_before_it_runs_out_again_and_again() {
    let missing: Vec<&str> = PROGRAMS.into_iter().filter(|program| !is_installed(program)).collect();
    if !missing.is_empty() {
        crate::support::skipped(&format!("{} is not installed", missing.join(", ")));
        return;
    }
    let user = User::new();
    let realm = Realm::start(&user);
    let expires = user.path("expires");
    std::fs::write(&expires, EXPIRES).unwrap();
    user.make_root();
    let environment: Vec<String> =
        variables(&user).iter().map(|(name, value)| format!("{name} = \"{value}\"")).collect();
    let config = format!(
        "[sessions.kerberos]\nrefresh = [\"kinit\", \"-R\"]\nexpires = [\"sh\", \"{}\"]\nrefresh_before = \"12s\"\n\
         env = {{ {} }}\n",
        expires.display(),
        environment.join(", ")
    );
    std::fs::write(user.root().join("config.toml"), config).unwrap();
    assert!(realm.login(), "a fresh ticket");
    let began = Instant::now();
    user.ok(["tick"]);
    let session = || user.index()["schedules"]["session_refresh.kerberos"].clone();
    let renewals = || {
        let log = std::fs::read_to_string(user.path("kdc.log")).unwrap_or_default();
        log.lines().filter(|line| line.contains("TGS_REQ") && line.contains("ISSUE")).count()
    };
    until("twice its life is over, and it is valid all the time", || {
        assert!(realm.is_valid(), "{} ms, {}", began.elapsed().as_millis(), session());
        std::thread::sleep(Duration::from_millis(200));
        began.elapsed() > TICKET * 2
    });
    assert!(renewals() >= 2, "{}", session());
    let health = session()["health"].clone();
    assert!(health["runs"].as_u64().unwrap() >= 3 && health["failed"].is_null(), "{health}");
    // The alarm goes with the section that it waits for.
    std::fs::write(user.root().join("config.toml"), "").unwrap();
    user.ok(["tick"]);
    assert!(session().is_null());
    drop(realm);
    user.all_gone();
}
