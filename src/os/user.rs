//! Who runs this process.

/// The file of accounts (`passwd(5)`). Accounts that only a directory service knows are not in it.
const ACCOUNTS: &str = "/etc/passwd";

/// The name of this process's user, the same for every process of that user: as the file of accounts has it, else as the
/// environment says. `None`: nobody says.
pub fn name() -> Option<String> {
    let uid = rustix::process::getuid().as_raw();
    let accounts = std::fs::read_to_string(ACCOUNTS).unwrap_or_default();
    named(&accounts, uid)
        .or_else(|| ["LOGNAME", "USER"].into_iter().find_map(|variable| std::env::var(variable).ok()))
}

fn named(accounts: &str, uid: u32) -> Option<String> {
    accounts.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        let is_own = fields.nth(1)?.parse() == Ok(uid);
        is_own.then(|| name.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_found_by_its_number() {
        let accounts = "root:x:0:0:root:/root:/bin/sh\n# odd\nann:x:1000:1000::/home/ann:/bin/bash\n";
        assert_eq!(named(accounts, 1_000).as_deref(), Some("ann"));
        assert_eq!(named(accounts, 0).as_deref(), Some("root"));
        assert_eq!(named(accounts, 7), None);
        assert_eq!(named("", 0), None);
    }
}
