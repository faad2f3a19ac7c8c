//! Which proxy is between, as Go's `httpproxy` has it.

use super::*;

fn https(proxy: &str, no_proxy: &str) -> Proxies {
    Proxies {
        https: Some(proxy.to_owned()),
        http: None,
        no_proxy: no_proxy.to_owned(),
    }
}

fn is_used(server: &str, no_proxy: &str) -> bool {
    let server = server.parse().unwrap();
    let proxy = https("http://proxy.corp:3128", no_proxy).between(&server);
    proxy.unwrap().is_some()
}

#[test]
fn the_scheme_of_the_server_chooses_the_variable() {
    let both = Proxies {
        https: Some("https://user:pass@secure.corp".to_owned()),
        http: Some("plain.corp:3128".to_owned()),
        no_proxy: String::new(),
    };
    let between = |server: &str| both.between(&server.parse().unwrap()).unwrap();
    assert_eq!(
        between("https://api.test:6443"),
        Some("https://user:pass@secure.corp".parse().unwrap())
    );
    assert_eq!(
        between("http://api.test"),
        Some("http://plain.corp:3128".parse().unwrap())
    );
    let none = Proxies::default();
    assert_eq!(none.between(&"https://api.test".parse().unwrap()), Ok(None));
}

#[test]
fn this_machine_is_reached_without_a_proxy() {
    for server in [
        "https://localhost:6443",
        "https://127.8.0.1",
        "https://[::1]:6443",
    ] {
        assert!(!is_used(server, ""), "{server}");
    }
    assert!(is_used("https://10.0.0.1", ""));
}

#[test]
fn no_proxy_names_servers_that_are_reached_without() {
    let direct = [
        ("https://api.corp:6443", "*"),
        ("https://api.corp", "api.corp"),
        ("https://api.corp", "corp"),
        ("https://API.corp", ".Corp"),
        ("https://api.corp", "*.corp"),
        ("https://api.corp:6443", "other, api.corp:6443"),
        ("https://api.corp", "api.corp:443"),
        ("https://10.1.2.3:6443", "10.0.0.0/8"),
        ("https://10.1.2.3:6443", "10.1.2.3"),
        ("https://10.1.2.3:6443", "10.1.2.3:6443"),
        ("https://[fd00::1]:6443", "fd00::/8"),
        ("https://[fd00::1]:6443", "fd00::1"),
        ("https://[fd00::1]:6443", "[fd00::1]:6443"),
        ("https://api.corp", "<local>,:,,api.corp,"),
    ];
    for (server, no_proxy) in direct {
        assert!(!is_used(server, no_proxy), "{server} {no_proxy}");
    }
    let through = [
        ("https://api.corp", ""),
        ("https://corp", ".corp"),
        ("https://corp", "*.corp"),
        ("https://apicorp", "corp"),
        ("https://api.corp:6443", "api.corp:443"),
        ("https://10.1.2.3:6443", "10.1.2.3:443"),
        ("https://10.1.2.3:6443", "2.3"),
        ("https://11.1.2.3", "10.0.0.0/8"),
        // Of the proxy, not of the server.
        ("https://api.corp", "proxy.corp"),
    ];
    for (server, no_proxy) in through {
        assert!(is_used(server, no_proxy), "{server} {no_proxy}");
    }
}

#[test]
fn what_is_no_proxy_is_said_without_its_password() {
    let server = "https://api.test".parse().unwrap();
    let said = |proxy: &str| https(proxy, "").between(&server).unwrap_err().to_string();
    assert_eq!(
        said("ftp://user:hunter2@proxy"),
        "HTTPS_PROXY has the scheme \"ftp\"; use http, https or socks5"
    );
    assert_eq!(
        said("http://user:hunter2@ proxy"),
        "HTTPS_PROXY is no URL; write it as http://host:port"
    );
    assert_eq!(
        of_kubeconfig("proxy:3128").unwrap_err().to_string(),
        "proxy-url of the kubeconfig is no URL; write it as http://host:port"
    );
    assert!(of_kubeconfig("socks5://proxy:1080").is_ok());
    assert!(!format!("{:?}", https("http://user:hunter2@proxy", "")).contains("hunter2"));
}
