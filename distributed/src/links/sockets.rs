//! What the system is asked for on connections between hosts.

use std::os::fd::AsRawFd;

use tokio::net::TcpStream;

/// An idle connection is asked after so many seconds whether its other end is there, and again after as many.
const PROBE_SECONDS: libc::c_int = 5;

/// After so many questions without an answer it is over.
const PROBES: libc::c_int = 3;

/// What was sent and not acknowledged for so long never will be.
const UNHEARD_MS: libc::c_int = 20_000;

/// Small messages go at once, and a host that has vanished without a word is noticed within 20 s: the connection ends,
/// and who reads from it hears of that.
pub(super) fn prepare(stream: &TcpStream) {
    // A connection without these works, only slower or to its end later.
    let _ = stream.set_nodelay(true);
    set(stream, libc::SOL_SOCKET, libc::SO_KEEPALIVE, 1);
    #[cfg(target_os = "linux")]
    {
        set(stream, libc::IPPROTO_TCP, libc::TCP_KEEPIDLE, PROBE_SECONDS);
        set(stream, libc::IPPROTO_TCP, libc::TCP_KEEPINTVL, PROBE_SECONDS);
        set(stream, libc::IPPROTO_TCP, libc::TCP_KEEPCNT, PROBES);
        set(stream, libc::IPPROTO_TCP, libc::TCP_USER_TIMEOUT, UNHEARD_MS);
    }
}

fn set(stream: &TcpStream, level: libc::c_int, option: libc::c_int, value: libc::c_int) {
    let size = size_of::<libc::c_int>() as libc::socklen_t;
    // SAFETY: the system reads one integer from the address it is given, which is that of a live local.
    unsafe { libc::setsockopt(stream.as_raw_fd(), level, option, (&raw const value).cast(), size) };
}
