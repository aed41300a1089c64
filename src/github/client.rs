//! What is asked of GitHub, in its words.

use super::{
    Cache, Cached, Limits, Refusal, Token,
    address::{Address, Origin, next_page},
    distil::{self, Comment, IssueSeen, KeptStep, List, Made},
    http::{Answer, Http, Request},
    refuse::{HIDDEN, Wish, one_line, refusal},
};
use crate::model::{Timestamp, approval::Repository, config::GitHub};
use crate::os::clock::Clock;
use crate::plan::verdict::Step;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::json;
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::fmt;

/// Most pages of one list.
const PAGES_MAX: usize = 50;
/// Most answers that are kept.
const ANSWERS_MAX: usize = 2_000;
/// So much of a token's hash tells whose the kept answers are, in bytes.
const TOKEN_HASH_BYTES: usize = 8;

const READ: &str = "read issues";
const WRITE: &str = "write issues";
/// GitHub refuses an issue with a label that is not there yet, where the token may not make it.
const WRITE_AND_LABEL: &str = "write issues and set labels";
const LABEL: &str = "set labels";
const SEE_WRITERS: &str = "see who may write";
const SEE_ITSELF: &str = "see whose it is";

/// Who asks GitHub, with one token.
pub struct Client<'a> {
    /// What is kept of answers; to be written down when all is asked.
    pub cache: Cache,
    /// How many requests were sent.
    pub sent: usize,
    api_url: String,
    token: Token,
    http: Http,
    clock: &'a dyn Clock,
    /// The addresses that were asked for.
    asked: BTreeSet<String>,
    account: Account,
}

/// Whose the token is.
enum Account {
    NotAsked,
    Named(String),
    /// GitHub does not say: a token of an app.
    Hidden,
}

/// Whether an answer is kept.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Keep {
    Yes,
    No,
}

/// What an answer says, and where it goes on.
struct Page<T> {
    said: T,
    next: Option<String>,
}

/// Neither the token nor what is kept.
impl fmt::Debug for Client<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("api_url", &self.api_url)
            .field("token", &self.token)
            .field("sent", &self.sent)
            .finish_non_exhaustive()
    }
}

impl<'a> Client<'a> {
    /// A client. Answers that another token was given are forgotten.
    pub fn new(settings: &GitHub, token: Token, cache: Cache, clock: &'a dyn Clock) -> Self {
        Self::with_limits(settings, token, cache, clock, Limits::default())
    }

    /// The same with other limits.
    pub fn with_limits(
        settings: &GitHub,
        token: Token,
        mut cache: Cache,
        clock: &'a dyn Clock,
        limits: Limits,
    ) -> Self {
        let hash: String = Sha256::digest(token.secret())
            .iter()
            .take(TOKEN_HASH_BYTES)
            .map(|byte| format!("{byte:02x}"))
            .collect();
        if cache.token != hash {
            cache = Cache { token: hash, ..Cache::default() };
        }
        Self {
            cache,
            sent: 0,
            api_url: settings.api_url.clone(),
            token,
            http: Http::new(&settings.api_url, limits),
            clock,
            asked: BTreeSet::new(),
            account: Account::NotAsked,
        }
    }

    /// Forgets the answers that this client did not ask for, so that no more is kept than what is still of use.
    pub fn forget_unused(&mut self) {
        self.cache.answers.retain(|address, _| self.asked.contains(address));
    }

    /// The issues of a repository that have a label and were changed since then, open or closed; all pages.
    pub fn issues(
        &mut self,
        repository: &Repository,
        label: &str,
        since: Timestamp,
    ) -> Result<Vec<IssueSeen>, Refusal> {
        let list = self.list(repository).with("labels", label);
        self.pages(in_order(list, since), &about(repository, READ), Keep::Yes, distil::issues)
    }

    /// The issues of a repository that this account made since then, open or closed; all pages. Where GitHub does not say
    /// which account it is (tokens of apps), those of everybody: [`IssueSeen::mark`] tells one's own, as far as it can.
    pub fn own_issues(
        &mut self,
        repository: &Repository,
        since: Timestamp,
    ) -> Result<Vec<IssueSeen>, Refusal> {
        let mut list = self.list(repository);
        if let Some(login) = self.login()? {
            list = list.with("creator", login);
        }
        self.pages(in_order(list, since), &about(repository, READ), Keep::Yes, distil::issues)
    }

    /// One issue.
    pub fn issue(&mut self, repository: &Repository, number: u64) -> Result<IssueSeen, Refusal> {
        let address = self.below(repository, number, &[]).whole();
        Ok(self.page(&address, &about_issue(repository, number, READ), Keep::Yes, distil::issue)?.said)
    }

    /// What happened to an issue, in order; all pages.
    pub fn steps(&mut self, repository: &Repository, number: u64) -> Result<Vec<Step>, Refusal> {
        let address = self.below(repository, number, &["timeline"]).in_pages();
        let wish = about_issue(repository, number, READ);
        let steps: Vec<KeptStep> = self.pages(address, &wish, Keep::Yes, distil::steps)?;
        Ok(steps.into_iter().map(Step::from).collect())
    }

    /// The comments on an issue since then; all pages. Never from what is kept.
    pub fn comments(
        &mut self,
        repository: &Repository,
        number: u64,
        since: Timestamp,
    ) -> Result<Vec<Comment>, Refusal> {
        let address = self.below(repository, number, &["comments"]).since(since).in_pages();
        self.pages(address, &about_issue(repository, number, READ), Keep::No, distil::comments)
    }

    /// Whether an account may write to a repository. One that GitHub does not know may not.
    pub fn may_write(&mut self, repository: &Repository, account: &str) -> Result<bool, Refusal> {
        let path = ["collaborators", account, "permission"];
        let address = Address::of(&self.api_url, repository, &path).whole();
        match self.page(&address, &about(repository, SEE_WRITERS), Keep::Yes, distil::may_write) {
            Ok(page) => Ok(page.said),
            Err(Refusal::NotFound(_)) => Ok(false),
            Err(refusal) => Err(refusal),
        }
    }

    /// Makes an issue. See [`Made::has_label`]: GitHub can make it and leave the label out.
    pub fn make_issue(
        &mut self,
        repository: &Repository,
        title: &str,
        body: &str,
        label: &str,
    ) -> Result<Made, Refusal> {
        let address = self.list(repository).whole();
        let issue = json!({ "title": title, "body": body, "labels": [label] });
        let answer = self.make(&address, &issue, &about(repository, WRITE_AND_LABEL))?;
        self.understood(distil::made_issue(&answer.body, label))
    }

    /// Makes a comment on an issue.
    pub fn comment(&mut self, repository: &Repository, number: u64, body: &str) -> Result<Made, Refusal> {
        let address = self.below(repository, number, &["comments"]).whole();
        let comment = json!({ "body": body });
        let answer = self.make(&address, &comment, &about_issue(repository, number, WRITE))?;
        self.understood(distil::made_comment(&answer.body, number))
    }

    /// Gives an issue a label.
    pub fn add_label(&mut self, repository: &Repository, number: u64, label: &str) -> Result<(), Refusal> {
        let address = self.below(repository, number, &["labels"]).whole();
        let labels = json!({ "labels": [label] });
        let answer = self.make(&address, &labels, &about_issue(repository, number, LABEL))?;
        if self.understood(distil::has_label(&answer.body, label))? {
            Ok(())
        } else {
            Err(Refusal::Forbidden(LABEL))
        }
    }

    fn list(&self, repository: &Repository) -> Address {
        Address::of(&self.api_url, repository, &["issues"])
    }

    fn below(&self, repository: &Repository, number: u64, rest: &[&str]) -> Address {
        let number = number.to_string();
        let mut path = vec!["issues", &number];
        path.extend(rest);
        Address::of(&self.api_url, repository, &path)
    }

    /// The name of the account whose token it is, asked for once.
    fn login(&mut self) -> Result<Option<&str>, Refusal> {
        if matches!(self.account, Account::NotAsked) {
            let address = Address::new(&self.api_url, &["user"]).whole();
            let wish = Wish { subject: "account of the token".to_owned(), right: SEE_ITSELF };
            self.account = match self.page(&address, &wish, Keep::Yes, distil::login) {
                Ok(page) => Account::Named(page.said),
                Err(Refusal::Forbidden(_)) => Account::Hidden,
                Err(refusal) => return Err(refusal),
            };
        }
        Ok(if let Account::Named(name) = &self.account { Some(name) } else { None })
    }

    /// A whole list.
    fn pages<T: Serialize + DeserializeOwned>(
        &mut self,
        first: String,
        wish: &Wish,
        keep: Keep,
        distil: fn(&[u8]) -> serde_json::Result<List<T>>,
    ) -> Result<Vec<T>, Refusal> {
        let mut items = Vec::new();
        let mut address = first;
        for _ in 0..PAGES_MAX {
            let page = self.page(&address, wish, keep, distil)?;
            items.extend(page.said.items);
            match page.next {
                None => {
                    // What is added later comes on a page behind it and leaves this one as it is: it would be "the same".
                    if page.said.is_full {
                        self.cache.answers.remove(&address);
                    }
                    return Ok(items);
                }
                Some(next) => address = next,
            }
        }
        Err(Refusal::Odd(format!("{} has more than {PAGES_MAX} pages", wish.subject)))
    }

    /// An answer, or what is kept of it where it is still the same.
    fn page<T: Serialize + DeserializeOwned>(
        &mut self,
        address: &str,
        wish: &Wish,
        keep: Keep,
        distil: fn(&[u8]) -> serde_json::Result<T>,
    ) -> Result<Page<T>, Refusal> {
        let kept = if keep == Keep::Yes { self.kept(address) } else { None };
        let etag = kept.as_ref().map(|(etag, _)| etag.as_str());
        let answer = self.send(address, etag, None)?;
        match (answer.status, kept) {
            (304, Some((_, page))) => return Ok(page),
            (200, _) => {}
            _ => return Err(self.refused(&answer, wish)),
        }
        let said = self.understood(distil(&answer.body))?;
        let next = answer.link.as_deref().and_then(next_page).map(str::to_owned);
        if keep == Keep::Yes {
            self.remember(address, answer.etag, next.as_ref(), &said);
        }
        Ok(Page { said, next })
    }

    /// What is kept for exactly this address, with its mark. What was kept in another form is none.
    fn kept<T: DeserializeOwned>(&mut self, address: &str) -> Option<(String, Page<T>)> {
        self.asked.insert(address.to_owned());
        let Cached { etag, next, said } = self.cache.answers.get(address)?;
        let said = T::deserialize(said).ok()?;
        is_header(etag).then(|| (etag.clone(), Page { said, next: next.clone() }))
    }

    /// An answer without a mark cannot be asked for again more cheaply, so that it is not kept.
    fn remember<T: Serialize>(
        &mut self,
        address: &str,
        etag: Option<String>,
        next: Option<&String>,
        said: &T,
    ) {
        let said = serde_json::to_value(said).ok();
        let (Some(etag), Some(said)) = (etag.filter(|etag| is_header(etag)), said) else {
            self.cache.answers.remove(address);
            return;
        };
        if self.cache.answers.len() >= ANSWERS_MAX {
            self.forget_unused();
        }
        if self.cache.answers.len() < ANSWERS_MAX || self.cache.answers.contains_key(address) {
            self.cache.answers.insert(address.to_owned(), Cached { etag, next: next.cloned(), said });
        }
    }

    fn make(&mut self, address: &str, what: &serde_json::Value, wish: &Wish) -> Result<Answer, Refusal> {
        let answer = self.send(address, None, Some(&what.to_string()))?;
        if matches!(answer.status, 200 | 201) { Ok(answer) } else { Err(self.refused(&answer, wish)) }
    }

    /// Every request goes through here, so that the token goes to the one host of the settings.
    fn send(&mut self, address: &str, etag: Option<&str>, json: Option<&str>) -> Result<Answer, Refusal> {
        let origin = Origin::of(address);
        if origin.is_none() || origin != Origin::of(&self.api_url) {
            return Err(Refusal::Odd("its next page is on another host".to_owned()));
        }
        self.sent += 1;
        self.http.send(Request { address, secret: self.token.secret(), etag, json })
    }

    /// What is wrong with an answer is said in its own words, so that it is looked through for the token.
    fn understood<T>(&self, read: serde_json::Result<T>) -> Result<T, Refusal> {
        read.map_err(|error| Refusal::Odd(one_line(&error.to_string().replace(self.token.secret(), HIDDEN))))
    }

    fn refused(&self, answer: &Answer, wish: &Wish) -> Refusal {
        refusal(answer, wish, self.clock.now(), self.token.secret())
    }
}

/// Oldest first, so that what is new changes the last page only.
fn in_order(list: Address, since: Timestamp) -> String {
    list.with("state", "all").since(since).with("sort", "created").with("direction", "asc").in_pages()
}

fn about(repository: &Repository, right: &'static str) -> Wish {
    Wish { subject: format!("repository {repository}"), right }
}

fn about_issue(repository: &Repository, number: u64, right: &'static str) -> Wish {
    Wish { subject: format!("issue {repository}#{number}"), right }
}

fn is_header(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ')
}

#[cfg(all(test, not(feature = "github")))]
mod tests {
    use super::*;
    use crate::github::find;
    use crate::model::config::Config;
    use crate::os::clock::SystemClock;

    #[test]
    fn without_the_feature_nothing_is_asked() {
        let settings = Config::default().approval.github;
        let token = find(&settings, |name| (name == "GH_TOKEN").then(|| "secret".into())).unwrap();
        let mut client = Client::new(&settings, token, Cache::default(), &SystemClock);
        let repository = Repository { owner: "o".to_owned(), name: "r".to_owned() };
        let since = SystemClock.now();
        assert_eq!(client.issues(&repository, "x", since), Err(Refusal::NotBuilt));
        assert_eq!(client.own_issues(&repository, since), Err(Refusal::NotBuilt));
        assert_eq!(client.may_write(&repository, "ann"), Err(Refusal::NotBuilt));
        assert_eq!(client.comment(&repository, 5, "b"), Err(Refusal::NotBuilt));
    }
}
