//! The proxy between this process and an API server: that of the kubeconfig, or as environment
//! variables have it. The rules are those of kubectl (Go's `httpproxy`).

use std::net::IpAddr;

use http::Uri;
use ipnet::IpNet;
use thiserror::Error;

/// Schemes that a proxy may have.
const SCHEMES: [&str; 3] = ["http", "https", "socks5"];

/// Reason why a proxy can't be used. It doesn't name the proxy, which may hold a password.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ProxyError {
    /// It is no URL.
    #[error("{from} is no URL; write it as http://host:port")]
    Url {
        /// Where it is from.
        from: &'static str,
    },
    /// Its scheme is none of those that are tunnelled through.
    #[error("{from} has the scheme {scheme:?}; use http, https or socks5")]
    Scheme {
        /// Where it is from.
        from: &'static str,
        /// Its scheme.
        scheme: String,
    },
}

/// What environment variables say of proxies.
#[derive(Clone, Default)]
pub struct Proxies {
    http: Option<String>,
    https: Option<String>,
    no_proxy: String,
}

/// An entry of NO_PROXY.
#[derive(Debug)]
enum Direct {
    /// Every server.
    All,
    /// Servers with an address in this network.
    Network(IpNet),
    /// Servers with this address, and port if given.
    Address(IpAddr, Option<u16>),
    /// Servers below this domain, and port if given.
    Domain {
        /// The domain, beginning with a dot.
        suffix: String,
        /// Whether the domain itself counts, too.
        itself: bool,
        /// The port.
        port: Option<u16>,
    },
}

impl Proxies {
    /// Reads the environment.
    #[must_use]
    pub fn from_env() -> Self {
        let any = |names: [&str; 2]| {
            let values = names
                .into_iter()
                .filter_map(|name| std::env::var(name).ok());
            values.into_iter().find(|value| !value.is_empty())
        };
        Self {
            http: any(["HTTP_PROXY", "http_proxy"]),
            https: any(["HTTPS_PROXY", "https_proxy"]),
            no_proxy: any(["NO_PROXY", "no_proxy"]).unwrap_or_default(),
        }
    }

    /// The proxy to a server, if one is to be used.
    ///
    /// # Errors
    /// If it can't be used.
    pub fn between(&self, server: &Uri) -> Result<Option<Uri>, ProxyError> {
        let (from, proxy) = match server.scheme_str() {
            Some("https") => ("HTTPS_PROXY", &self.https),
            Some("http") => ("HTTP_PROXY", &self.http),
            _ => return Ok(None),
        };
        let Some(proxy) = proxy.as_deref().filter(|_| !self.is_direct(server)) else {
            return Ok(None);
        };
        if proxy.contains("://") {
            parse(from, proxy).map(Some)
        } else {
            parse(from, &format!("http://{proxy}")).map(Some)
        }
    }

    /// Whether a server is to be reached without a proxy.
    fn is_direct(&self, server: &Uri) -> bool {
        let host = server.host().unwrap_or_default().to_ascii_lowercase();
        let address = bare(&host).parse::<IpAddr>().ok();
        if host == "localhost" || address.is_some_and(|address| address.is_loopback()) {
            return true;
        }
        let usual = if server.scheme_str() == Some("http") {
            80
        } else {
            443
        };
        let port = server.port_u16().unwrap_or(usual);
        let entries = self.no_proxy.split(',').filter_map(Direct::parse);
        entries
            .into_iter()
            .any(|entry| entry.covers(&host, address, port))
    }
}

/// The proxy of a kubeconfig's cluster.
///
/// # Errors
/// If it can't be used.
pub fn of_kubeconfig(url: &str) -> Result<Uri, ProxyError> {
    parse("proxy-url of the kubeconfig", url)
}

fn parse(from: &'static str, url: &str) -> Result<Uri, ProxyError> {
    let uri: Uri = url.parse().map_err(|_| ProxyError::Url { from })?;
    match (uri.scheme_str(), uri.host()) {
        (Some(scheme), Some(_)) if SCHEMES.contains(&scheme) => Ok(uri),
        (Some(scheme), Some(_)) => Err(ProxyError::Scheme {
            from,
            scheme: scheme.to_owned(),
        }),
        _ => Err(ProxyError::Url { from }),
    }
}

/// A host without the brackets of an IPv6 address.
fn bare(host: &str) -> &str {
    let inner = host.strip_prefix('[').and_then(|it| it.strip_suffix(']'));
    inner.unwrap_or(host)
}

impl Direct {
    /// Parses an entry; `None` if it is none, which is ignored.
    fn parse(entry: &str) -> Option<Self> {
        let entry = entry.trim().to_ascii_lowercase();
        if entry == "*" {
            return Some(Self::All);
        }
        if let Ok(network) = entry.parse() {
            return Some(Self::Network(network));
        }
        if let Ok(address) = bare(&entry).parse() {
            return Some(Self::Address(address, None));
        }
        let (host, port) = match entry.rsplit_once(':') {
            Some((host, port)) => (host, Some(port.parse().ok()?)),
            None => (&*entry, None),
        };
        if let Ok(address) = bare(host).parse() {
            return Some(Self::Address(address, port));
        }
        let host = host
            .strip_prefix('*')
            .filter(|it| it.starts_with('.'))
            .unwrap_or(host);
        let itself = !host.starts_with('.');
        let suffix = if itself {
            format!(".{host}")
        } else {
            host.to_owned()
        };
        (!host.is_empty()).then_some(Self::Domain {
            suffix,
            itself,
            port,
        })
    }

    fn covers(&self, host: &str, address: Option<IpAddr>, port: u16) -> bool {
        match self {
            Self::All => true,
            Self::Network(network) => address.is_some_and(|it| network.contains(&it)),
            Self::Address(own, wanted) => {
                address == Some(*own) && wanted.is_none_or(|wanted| wanted == port)
            }
            Self::Domain {
                suffix,
                itself,
                port: wanted,
            } => {
                let named = host.ends_with(suffix.as_str()) || (*itself && host == &suffix[1..]);
                address.is_none() && named && wanted.is_none_or(|wanted| wanted == port)
            }
        }
    }
}

impl std::fmt::Debug for Proxies {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Proxies")
            .field("no_proxy", &self.no_proxy)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
