"""On Linux, a process can give up system calls for good: seccomp(2) with a filter in classic BPF.

A decoding process needs no socket but the one it was born with, and no other program. If FFmpeg is
taken over by a file, it can neither send what it read nor start anything.
"""

from __future__ import annotations

import ctypes
import errno
import platform
import struct
import sys

SYSTEM_CALLS = {
    # AUDIT_ARCH_… (linux/audit.h), then socket, connect, bind, ptrace, execve, execveat,
    # process_vm_writev, io_uring_setup (asm/unistd.h)
    "x86_64": (0xC000003E, (41, 42, 49, 101, 59, 322, 311, 425)),
    "aarch64": (0xC00000B7, (198, 203, 200, 117, 221, 281, 271, 425)),
}
"""What is refused, by machine."""

X32 = 0x40000000
"""From here on x86_64 numbers the calls of its 32-bit interface, which does the same."""

_PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP, _SECCOMP_MODE_FILTER = 38, 22, 2
_LOAD, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06  # BPF_LD | BPF_W | BPF_ABS …
_NUMBER, _ARCHITECTURE = 0, 4  # where they lie in struct seccomp_data
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000


class _Program(ctypes.Structure):
    """struct sock_fprog."""

    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def give_up_network_and_programs() -> bool:
    """Have the kernel refuse (EPERM) :data:`SYSTEM_CALLS` to this thread and those it starts, for
    ever. Whether it does: not on macOS, nor where seccomp is switched off."""
    known = SYSTEM_CALLS.get(platform.machine())
    if sys.platform != "linux" or known is None:
        return False
    code = _filter(*known)
    libc = ctypes.CDLL(None, use_errno=True)
    program = _Program(len(code) // 8, code)
    arguments = (ctypes.c_ulong(_SECCOMP_MODE_FILTER), ctypes.byref(program), 0, 0)
    none = (ctypes.c_ulong(0),) * 3
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, ctypes.c_ulong(1), *none) != 0:
        return False
    return bool(libc.prctl(_PR_SET_SECCOMP, *arguments) == 0)


def _filter(architecture: int, refused: tuple[int, ...]) -> bytes:
    """The program as struct sock_filter[]: code, jump if true, jump if false, value."""
    refuse = _ERRNO | errno.EPERM
    lines = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_EQUAL, 1, 0, architecture),
        (_RETURN, 0, 0, refuse),  # calls of another interface have other numbers
        (_LOAD, 0, 0, _NUMBER),
        (_AT_LEAST, len(refused) + 1, 0, X32),
    ]
    for k, number in enumerate(refused):
        lines.append((_EQUAL, len(refused) - k, 0, number))
    lines += [(_RETURN, 0, 0, _ALLOW), (_RETURN, 0, 0, refuse)]
    return b"".join(struct.pack("=HBBI", *line) for line in lines)
