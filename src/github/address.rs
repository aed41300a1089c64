//! Addresses: making them, and telling whose they are.

use crate::model::{Timestamp, approval::Repository};
use chrono::SecondsFormat;

/// Most items on a page (GitHub, "Using pagination in the REST API").
pub(super) const PAGE_ITEMS_MAX: usize = 100;

/// An address below `api_url`, piece by piece.
pub(super) struct Address(String);

impl Address {
    /// Of something below `api_url`, such as `user`.
    pub fn new(api_url: &str, path: &[&str]) -> Self {
        let mut address = Self(api_url.trim_end_matches('/').to_owned());
        for part in path {
            address.0.push('/');
            address.0.push_str(&encoded(part));
        }
        address
    }

    /// Of something of a repository, such as `issues`.
    pub fn of(api_url: &str, repository: &Repository, path: &[&str]) -> Self {
        let mut whole = vec!["repos", &repository.owner, &repository.name];
        whole.extend(path);
        Self::new(api_url, &whole)
    }

    /// With a condition.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.0.push(if self.0.contains('?') { '&' } else { '?' });
        self.0.push_str(name);
        self.0.push('=');
        self.0.push_str(&encoded(value));
        self
    }

    /// Only what was changed then or later, to the second.
    pub fn since(self, at: Timestamp) -> Self {
        self.with("since", &at.to_rfc3339_opts(SecondsFormat::Secs, true))
    }

    /// In pages as long as they can be.
    pub fn in_pages(self) -> String {
        self.with("per_page", &PAGE_ITEMS_MAX.to_string()).0
    }

    /// As text.
    pub fn whole(self) -> String {
        self.0
    }
}

/// Everything escaped but what never needs it (RFC 3986, "unreserved"), and the colon of times.
fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~:".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

/// Where the requests to an address go: scheme, host and port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Origin {
    scheme: String,
    /// In small letters; an address of IPv6 without its brackets.
    pub host: String,
    port: u16,
}

impl Origin {
    /// `None`: it is not known for sure, so that nothing is sent there.
    pub fn of(address: &str) -> Option<Self> {
        if !address.bytes().all(|byte| byte.is_ascii_graphic()) {
            return None;
        }
        let (scheme, rest) = address.split_once("://")?;
        let scheme = scheme.to_ascii_lowercase();
        let authority = rest.split(['/', '?', '#']).next()?;
        if authority.contains(['@', '\\']) {
            return None;
        }
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, port.parse().ok()?),
            _ if scheme == "https" => (authority, 443),
            _ if scheme == "http" => (authority, 80),
            _ => return None,
        };
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        (!host.is_empty()).then(|| Self { scheme, host: host.to_ascii_lowercase(), port })
    }
}

/// The next page that a header `Link` names (RFC 8288): `<https://…>; rel="next", <https://…>; rel="last"`.
pub(super) fn next_page(link: &str) -> Option<&str> {
    let mut rest = link;
    while let Some((_, opened)) = rest.split_once('<') {
        let (address, behind) = opened.split_once('>')?;
        // An address may have commas in it, so that the next link begins at the next bracket.
        let (parameters, others) = behind.find('<').map_or((behind, ""), |at| behind.split_at(at));
        if parameters.split(';').any(is_next) {
            return Some(address);
        }
        rest = others;
    }
    None
}

fn is_next(parameter: &str) -> bool {
    let Some((name, value)) = parameter.split_once('=') else { return false };
    let value = value.trim().trim_end_matches(',').trim().trim_matches('"');
    name.trim().eq_ignore_ascii_case("rel") && value.split(' ').any(|word| word.eq_ignore_ascii_case("next"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_end_a_part_of_an_address_is_escaped() {
        let repository = Repository { owner: "o".to_owned(), name: "a.b_c-d".to_owned() };
        let address = Address::of("https://h/api/v3", &repository, &["x", "dependabot[bot]", "a/../b?c#d"]);
        let address = address.with("labels", "bg: ünd&so").in_pages();
        let expected = "https://h/api/v3/repos/o/a.b_c-d/x/dependabot%5Bbot%5D/a%2F..%2Fb%3Fc%23d\
                        ?labels=bg:%20%C3%BCnd%26so&per_page=100";
        assert_eq!(address, expected);
    }

    #[test]
    fn a_time_is_written_to_the_second() {
        let at = "2026-02-13T10:00:00.987Z".parse().unwrap();
        assert_eq!(Address::new("https://h", &[]).since(at).whole(), "https://h?since=2026-02-13T10:00:00Z");
    }

    #[test]
    fn the_same_place_is_known_whatever_its_spelling() {
        let place = Origin::of("https://api.github.com/repos/o/r?x=1");
        for same in ["https://api.github.com", "HTTPS://API.github.com:443/", "https://api.github.com?a@b"] {
            assert_eq!(Origin::of(same), place, "{same}");
        }
        assert_eq!(Origin::of("http://[::1]:80/").unwrap().host, "::1");
        assert_eq!(Origin::of("http://[::1]/"), Origin::of("http://[::1]:80/"));
    }

    #[test]
    fn another_place_is_another_scheme_host_or_port() {
        let place = Origin::of("https://api.github.com");
        for other in [
            "http://api.github.com",
            "https://api.github.com:444",
            "https://api.github.com.example.org",
            "https://example.org/api.github.com",
        ] {
            assert!(Origin::of(other).is_some());
            assert_ne!(Origin::of(other), place, "{other}");
        }
    }

    #[test]
    fn what_is_not_surely_a_place_is_none() {
        for text in [
            "",
            "/repos/o/r",
            "//example.org",
            "https://",
            "https://api.github.com@example.org",
            "https://example.org\\@api.github.com",
            "https://api.github.com:x",
            "https://api.github.com:",
            "https://api.git hub.com",
            "https://api.github.com\r\n",
            "ftp://api.github.com",
            "https://äpi.github.com",
        ] {
            assert_eq!(Origin::of(text), None, "{text}");
        }
    }

    #[test]
    fn the_next_page_is_found_among_the_links() {
        for (link, next) in [
            (
                "<https://h/a?page=2>; rel=\"next\", <https://h/a?page=9>; rel=\"last\"",
                Some("https://h/a?page=2"),
            ),
            (
                "<https://h/a?page=1>; rel=\"prev\", <https://h/a?p=3,4;5>; rel=\"next\"",
                Some("https://h/a?p=3,4;5"),
            ),
            ("<https://h/2>; title=\"x\"; REL=next", Some("https://h/2")),
            ("<https://h/2>; rel=\"last next\"", Some("https://h/2")),
            ("<https://h/1>; rel=\"prev\", <https://h/1>; rel=\"first\"", None),
            ("<https://h/2>; rel=\"nextish\"", None),
            ("<https://h/2; rel=\"next\"", None),
            ("", None),
            ("nonsense", None),
        ] {
            assert_eq!(next_page(link), next, "{link}");
        }
    }
}
