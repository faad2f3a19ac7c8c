//! What failed requests are said to be.

use kube::Config;
use kube::core::Status;

use super::*;

fn refused(code: u16, reason: &str) -> kube::Error {
    refused_because(code, reason, "because")
}

fn refused_because(code: u16, reason: &str, message: &str) -> kube::Error {
    let status = Status::failure(message, reason).with_code(code);
    kube::Error::Api(status.boxed())
}

#[tokio::test]
async fn errors_say_what_to_do() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let config = Config::new("https://example.test".parse().unwrap());
    let connection = Connection {
        client: Client::try_from(config).unwrap(),
        namespace: "shop".to_owned(),
        operator: OperatorArgs {
            operator_namespace: "projsync-system".to_owned(),
            lease_name: "projsync".to_owned(),
        },
        server: "https://example.test".to_owned(),
    };
    let down = std::io::Error::from(std::io::ErrorKind::ConnectionRefused);
    let cases = [
        (refused(401, "Unauthorized"), "log in again"),
        (refused(403, "Forbidden"), "ask for a role"),
        (
            refused_because(
                403,
                "Forbidden",
                "users \"jane\" is forbidden: User \"me\" cannot impersonate resource \"users\"",
            ),
            "you may not act as somebody else: 403 Forbidden: users \"jane\"",
        ),
        (
            kube::Error::Service(Box::new(down)),
            "check --context and --kubeconfig",
        ),
        (
            refused(500, "InternalError"),
            "can't read pods: 500 InternalError: because",
        ),
    ];
    for (error, expected) in cases {
        let said = connection.error("pods", &error).to_string();
        assert!(said.contains(expected), "{said}");
    }
}

#[test]
fn an_unknown_resource_is_told_from_what_one_may_not_see() {
    // What a server without the resource answers is no Status.
    assert!(is_not_found(&refused(404, "Failed to parse error data")));
    assert!(is_not_found(&refused(404, "NotFound")));
    assert!(!is_not_found(&refused(403, "Forbidden")));
    assert!(is_forbidden(&refused(403, "Forbidden")));
    assert!(!is_forbidden(&refused(404, "NotFound")));
}
