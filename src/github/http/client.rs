//! Requests by `ureq`.

use super::{Answer, Request, resolve::Names};
use crate::github::{Limits, Refusal, address::Origin, refuse::one_line};
use crate::model::limit::format_seconds;
use std::io::{self, ErrorKind, Read};
use std::net::IpAddr;
use std::time::Duration;
use ureq::http::{HeaderMap, Response};
use ureq::tls::{RootCerts, TlsConfig};
use ureq::unversioned::transport::DefaultConnector;
use ureq::{Agent, Body, Error, Proxy, Timeout};

/// The version of GitHub's interface that the requests are written for.
const API_VERSION: &str = "2026-03-10";

/// What sends requests. A connection is kept for the next one.
pub(in crate::github) struct Http {
    agent: Agent,
    limits: Limits,
    /// The host, and how it is reached.
    whither: String,
}

impl Http {
    /// For the host of an address, through the proxy that the environment names (`HTTPS_PROXY`, `NO_PROXY` and their like).
    pub fn new(api_url: &str, limits: Limits) -> Self {
        let host = Origin::of(api_url).map_or_else(|| "its host".to_owned(), |origin| origin.host);
        // What runs on this machine is not behind its proxy.
        let is_here =
            host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
        let proxy = Proxy::try_from_env().filter(|_| !is_here);
        let is_direct =
            proxy.as_ref().is_none_or(|proxy| api_url.parse().is_ok_and(|uri| proxy.is_no_proxy(&uri)));
        let config = Agent::config_builder()
            .max_redirects(0)
            .http_status_as_error(false)
            .timeout_global(Some(limits.answer))
            .timeout_resolve(Some(limits.connect))
            .timeout_connect(Some(limits.connect))
            .user_agent(concat!("bgctl/", env!("CARGO_PKG_VERSION")))
            .accept("application/vnd.github+json")
            .proxy(proxy)
            .tls_config(TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).build())
            .build();
        let whither = if is_direct { host } else { format!("{host}, through the proxy") };
        Self {
            agent: Agent::with_parts(config, DefaultConnector::default(), Names::default()),
            limits,
            whither,
        }
    }

    /// Sends a request and reads its answer.
    pub fn send(&self, request: Request<'_>) -> Result<Answer, Refusal> {
        let bearer = format!("Bearer {}", request.secret);
        let said = match request.json {
            None => {
                let mut get = self.agent.get(request.address);
                if let Some(etag) = request.etag {
                    get = get.header("If-None-Match", etag);
                }
                get.header("Authorization", bearer).header("X-GitHub-Api-Version", API_VERSION).call()
            }
            Some(json) => self
                .agent
                .post(request.address)
                .header("Authorization", bearer)
                .header("X-GitHub-Api-Version", API_VERSION)
                .content_type("application/json")
                .send(json),
        };
        self.heard(said.map_err(|error| self.refusal(error))?)
    }

    fn heard(&self, response: Response<Body>) -> Result<Answer, Refusal> {
        let (parts, body) = response.into_parts();
        let header = |name| text(&parts.headers, name);
        Ok(Answer {
            status: parts.status.as_u16(),
            etag: header("etag"),
            link: header("link"),
            retry_after: header("retry-after"),
            remaining: header("x-ratelimit-remaining"),
            reset: header("x-ratelimit-reset"),
            body: self.read(body)?,
        })
    }

    fn read(&self, mut body: Body) -> Result<Vec<u8>, Refusal> {
        let bytes_max = self.limits.body_bytes;
        let mut bytes = Vec::new();
        // The library's own limit counts bytes as they are sent, and a small packed body can be a huge one.
        let mut reader = body.as_reader().take(bytes_max.saturating_add(1));
        reader.read_to_end(&mut bytes).map_err(|error| self.refusal(Error::from(error)))?;
        if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > bytes_max {
            return Err(Refusal::Odd(format!("it is longer than {bytes_max} bytes")));
        }
        Ok(bytes)
    }

    /// Each kind in our words: some of the library's have addresses in them.
    fn refusal(&self, error: Error) -> Refusal {
        let whither = &self.whither;
        let unreachable = |what: &str| Refusal::Unreachable(format!("{what} ({whither})"));
        let odd = |what: &str| Refusal::Odd(what.to_owned());
        match error {
            Error::Timeout(Timeout::Resolve | Timeout::Connect) => {
                unreachable(&format!("no connection within {}", span(self.limits.connect)))
            }
            Error::Timeout(_) => unreachable(&format!("no answer within {}", span(self.limits.answer))),
            Error::HostNotFound => unreachable("there is no such host, or no way to ask for it"),
            Error::ConnectionFailed => unreachable("it could not be connected to"),
            Error::ConnectProxyFailed(why) => unreachable(&why),
            Error::InvalidProxyUrl => unreachable("the environment names a proxy with no valid address"),
            Error::Tls(why) => unreachable(why),
            Error::Rustls(error) => unreachable(&untrusted(&error)),
            Error::Pem(_) => unreachable("the system's certificates cannot be read"),
            Error::Io(error) => self.broken(&error),
            Error::Protocol(_) => odd("it is not as HTTP has to be"),
            Error::Decompress(..) => odd("its packing is damaged"),
            Error::LargeResponseHeader(..) => odd("its headers are too long"),
            Error::BadUri(_) | Error::Http(_) => {
                odd("its address, or that of GitHub in config.toml, is not valid")
            }
            _ => odd("it could not be read"),
        }
    }

    fn broken(&self, error: &io::Error) -> Refusal {
        let what = match error.kind() {
            ErrorKind::ConnectionRefused => "nobody takes connections there".to_owned(),
            ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => {
                "the connection was cut".to_owned()
            }
            // This is how the errors of encryption come.
            ErrorKind::InvalidData => untrusted(error),
            _ => one_line(&error.to_string()),
        };
        Refusal::Unreachable(format!("{what} ({})", self.whither))
    }
}

fn untrusted(error: &dyn std::error::Error) -> String {
    let why = one_line(&error.to_string());
    format!(
        "no trusted connection: {why}; trusted is what the system trusts, or the file that SSL_CERT_FILE names"
    )
}

fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    let values: Vec<&str> = headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).collect();
    (!values.is_empty()).then(|| values.join(", "))
}

fn span(limit: Duration) -> String {
    if limit < Duration::from_secs(1) {
        format!("{}ms", limit.as_millis())
    } else {
        format_seconds(limit.as_secs())
    }
}
