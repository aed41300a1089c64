//! One request and its answer.
//!
//! The only place that knows the library for it. No redirect is followed, and no error has the token or a proxy's password in
//! it: what is said about a failure is put together here.

#[cfg(feature = "github")]
mod client;
#[cfg(feature = "github")]
mod resolve;

#[cfg(feature = "github")]
pub(super) use client::Http;

/// A request.
#[derive(Clone, Copy)]
pub(super) struct Request<'a> {
    /// Where it goes.
    pub address: &'a str,
    /// The token.
    pub secret: &'a str,
    /// The mark of the answer that is known.
    pub etag: Option<&'a str>,
    /// What is to be made, as JSON; without it, something is asked.
    pub json: Option<&'a str>,
}

/// An answer, whatever it is.
#[derive(Clone, Debug, Default)]
pub(super) struct Answer {
    /// Its status.
    pub status: u16,
    /// The header `ETag`.
    pub etag: Option<String>,
    /// The header `Link`.
    pub link: Option<String>,
    /// The header `Retry-After`.
    pub retry_after: Option<String>,
    /// The header `X-RateLimit-Remaining`.
    pub remaining: Option<String>,
    /// The header `X-RateLimit-Reset`.
    pub reset: Option<String>,
    /// Its body.
    pub body: Vec<u8>,
}

/// What stands for it where it was left out.
#[cfg(not(feature = "github"))]
pub(super) struct Http;

#[cfg(not(feature = "github"))]
impl Http {
    pub fn new(_api_url: &str, _limits: super::Limits) -> Self {
        Self
    }

    #[expect(clippy::unused_self, reason = "it is asked as the other is")]
    pub fn send(&self, request: Request<'_>) -> Result<Answer, super::Refusal> {
        let Request { address: _address, secret: _secret, etag: _etag, json: _json } = request;
        Err(super::Refusal::NotBuilt)
    }
}
