//! A port that nobody else gets.

use std::net::SocketAddrV4;

use rustix::fd::OwnedFd;
use rustix::net::{AddressFamily, SocketType, bind, getsockname, ipproto, socket, sockopt};

/// A free TCP port of 127.0.0.1, held as long as this lives.
///
/// A socket stays bound to it with `SO_REUSEPORT`, without listening, and
/// kube-apiserver binds beside it (`--permit-port-sharing`). So two control
/// planes that start at once never fight for a port, and a restarted API server
/// finds its own again.
pub(crate) struct Port {
    number: u16,
    _held: OwnedFd,
}

impl Port {
    pub(crate) fn reserve() -> rustix::io::Result<Self> {
        let held = socket(AddressFamily::INET, SocketType::STREAM, Some(ipproto::TCP))?;
        // The components must not inherit it.
        rustix::io::fcntl_setfd(&held, rustix::io::FdFlags::CLOEXEC)?;
        sockopt::set_socket_reuseport(&held, true)?;
        bind(&held, &SocketAddrV4::new([127, 0, 0, 1].into(), 0))?;
        let address: SocketAddrV4 = getsockname(&held)?.try_into()?;
        Ok(Self {
            number: address.port(),
            _held: held,
        })
    }

    pub(crate) fn number(&self) -> u16 {
        self.number
    }
}
