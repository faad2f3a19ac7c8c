//! Acting as somebody else, with the flags of kubectl.

use kube::config::AuthInfo;
use thiserror::Error;

/// Whom to act as.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct ImpersonationArgs {
    /// User to act as
    #[arg(long = "as", value_name = "USER")]
    pub user: Option<String>,
    /// Group to act as, with --as; may be repeated
    #[arg(long = "as-group", value_name = "GROUP")]
    pub groups: Vec<String>,
    /// UID to act as, with --as
    #[arg(long = "as-uid", value_name = "UID")]
    pub uid: Option<String>,
}

/// A group or UID was given, but no user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("--as-group and --as-uid need --as, or a user to act as in the kubeconfig")]
pub struct ImpersonationError;

impl ImpersonationArgs {
    /// Puts what was given in place of what the kubeconfig says.
    ///
    /// # Errors
    /// If there is no user to act as.
    pub fn apply(&self, auth: &mut AuthInfo) -> Result<(), ImpersonationError> {
        let given = |value: &Option<String>| value.clone().filter(|value| !value.is_empty());
        auth.impersonate = given(&self.user).or(auth.impersonate.take());
        auth.impersonate_uid = given(&self.uid).or(auth.impersonate_uid.take());
        if !self.groups.is_empty() {
            auth.impersonate_groups = Some(self.groups.clone());
        }
        let more = auth.impersonate_uid.is_some() || auth.impersonate_groups.is_some();
        if more && auth.impersonate.is_none() {
            return Err(ImpersonationError);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_come_before_the_kubeconfig() {
        let mut auth = AuthInfo {
            impersonate: Some("file".to_owned()),
            impersonate_groups: Some(vec!["of-file".to_owned()]),
            ..AuthInfo::default()
        };
        ImpersonationArgs::default().apply(&mut auth).unwrap();
        assert_eq!(auth.impersonate.as_deref(), Some("file"));
        let flags = ImpersonationArgs {
            user: Some("jane".to_owned()),
            groups: vec!["devs".to_owned()],
            uid: None,
        };
        flags.apply(&mut auth).unwrap();
        assert_eq!(auth.impersonate.as_deref(), Some("jane"));
        assert_eq!(auth.impersonate_groups, Some(vec!["devs".to_owned()]));
    }

    #[test]
    fn a_group_needs_a_user() {
        let flags = ImpersonationArgs {
            groups: vec!["devs".to_owned()],
            ..ImpersonationArgs::default()
        };
        let mut auth = AuthInfo::default();
        assert_eq!(flags.apply(&mut auth), Err(ImpersonationError));
    }
}
