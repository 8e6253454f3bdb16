"""Set the promises of a child process, then become it (run by path, never imported).

Usage: ``python -I -S _launch.py PARENT_PID DEATH_SIGNAL USER COMMAND [ARG...]``

Three things must be done between fork and exec. Doing them in a tiny program of its own, instead of in
``preexec_fn``, is safe in a process with threads and keeps the process id for the command itself:

- ``PR_SET_PDEATHSIG``: the kernel sends DEATH_SIGNAL when the thread that started us ends, however it ends.
- the parent may have died before that call: then leave at once.
- USER other than ``-``: give up root, as PostgreSQL demands, but keep CAP_DAC_READ_SEARCH, so that a server
  in a private folder (a virtual environment below /root) can be read without opening that folder to all.
"""

import ctypes
import os
import pwd
import sys

PR_SET_PDEATHSIG = 1
PR_SET_KEEPCAPS = 8
PR_SET_SECUREBITS = 28
SECBIT_NO_SETUID_FIXUP = 1 << 2
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_RAISE = 2
CAP_DAC_READ_SEARCH = 2
CAPABILITY_VERSION_3 = 0x20080522


def _give_up_root(libc: ctypes.CDLL, user: str) -> None:
    entry = pwd.getpwnam(user)
    libc.prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0)
    # Without it access(2), by which PostgreSQL looks for its own programs, would ignore the capability.
    libc.prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP, 0, 0, 0)
    os.setgroups([])
    os.setgid(entry.pw_gid)
    os.setuid(entry.pw_uid)
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0)
    kept = 1 << CAP_DAC_READ_SEARCH
    # Two groups of (effective, permitted, inheritable) words; a container may refuse, then plain file
    # permissions decide and the server's own message names the folder that it cannot enter.
    sets = (ctypes.c_uint32 * 6)(kept, kept, kept, 0, 0, 0)
    if libc.capset(header, sets) == 0:
        libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_DAC_READ_SEARCH, 0, 0)


def main() -> None:
    """Become the command."""
    parent, death_signal, user, *command = sys.argv[1:]
    libc = ctypes.CDLL(None, use_errno=True)
    if user != "-":
        _give_up_root(libc, user)
    # Last, because a change of credentials clears it.
    libc.prctl(PR_SET_PDEATHSIG, int(death_signal), 0, 0, 0)
    if os.getppid() != int(parent):
        sys.exit("the process that wanted this one is gone")
    try:
        os.execv(command[0], command)  # noqa: S606 - becoming the command is the point
    except OSError as error:
        sys.exit(f"cannot run {command[0]}: {error}")


if __name__ == "__main__":
    main()
