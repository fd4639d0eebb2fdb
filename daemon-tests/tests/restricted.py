"""Runs a command under restrictions: `restricted.py RESTRICTION... -- COMMAND...`.

| restriction | meaning |
|---|---|
| `deny=CALL:ERROR` | A seccomp filter fails this system call with the error. `socket` means a socket of `AF_UNIX`. |
| `limit=NAME:NUMBER` | Sets both resource limits `RLIMIT_NAME`. |
| `write-below=PATH` | Landlock permits to create and write files below this path alone. |
| `ignore=SIGNAL` | Ignores a signal. |
"""
import ctypes
import errno
import os
import platform
import resource
import signal
import struct
import sys

# The numbers on x86_64 and on aarch64. None where the system has no such call.
CALLS = {
    "accept4": (288, 242), "bind": (49, 200), "clone3": (435, 435), "close_range": (436, 436), "connect": (42, 203),
    "flock": (73, 32), "openat2": (437, 437), "pidfd_open": (434, 434), "pidfd_send_signal": (424, 424),
    "rename": (82, None), "renameat": (264, 38), "sendmsg": (46, 211), "socket": (41, 198), "socketpair": (53, 199),
    "statx": (332, 291),
}
MACHINES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}
LOAD, JUMP_IF_EQUAL, RETURN = 0x20, 0x15, 0x06
ALLOW, ERRNO = 0x7FFF0000, 0x00050000
AF_UNIX = 1

libc = ctypes.CDLL(None, use_errno=True)


def check(result):
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def no_new_privileges():
    check(libc.prctl(38, 1, 0, 0, 0))


def install_filter(denied):
    column, architecture = MACHINES[platform.machine()]
    program = [(LOAD, 0, 0, 4), (JUMP_IF_EQUAL, 1, 0, architecture), (RETURN, 0, 0, ALLOW), (LOAD, 0, 0, 0)]
    for name, error in denied:
        number = CALLS[name][column]
        if number is None:
            continue
        refusal = (RETURN, 0, 0, ERRNO | getattr(errno, error))
        if name == "socket":
            # The first argument follows the number, the architecture and the address.
            program += [(JUMP_IF_EQUAL, 0, 4, number), (LOAD, 0, 0, 16), (JUMP_IF_EQUAL, 0, 1, AF_UNIX), refusal,
                        (RETURN, 0, 0, ALLOW)]
        else:
            program += [(JUMP_IF_EQUAL, 0, 1, number), refusal]
    program.append((RETURN, 0, 0, ALLOW))
    code = b"".join(struct.pack("HBBI", *step) for step in program)
    buffer = ctypes.create_string_buffer(code)
    header = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(program), ctypes.addressof(buffer)))
    no_new_privileges()
    check(libc.prctl(22, 2, header, 0, 0))


def install_landlock(below):
    # Write, remove and make: all rights of the first version except execute (0), read file (2) and read directory (3).
    rights = sum(1 << bit for bit in (1, 4, 5, 6, 7, 8, 9, 10, 11))
    ruleset = check(libc.syscall(444, struct.pack("Q", rights), 8, 0))
    for path in below:
        directory = os.open(path, os.O_PATH)
        check(libc.syscall(445, ruleset, 1, struct.pack("=Qi", rights, directory), 0))
    no_new_privileges()
    check(libc.syscall(446, ruleset, 0))


def main():
    separator = sys.argv.index("--")
    denied, below, is_confined = [], [], False
    for restriction in sys.argv[1:separator]:
        kind, _, value = restriction.partition("=")
        if kind == "deny":
            denied.append(value.split(":"))
        elif kind == "limit":
            name, number = value.split(":")
            which = getattr(resource, "RLIMIT_" + name)
            resource.setrlimit(which, (int(number), int(number)))
        elif kind == "write-below":
            is_confined = True
            below += [value] if value else []
        elif kind == "ignore":
            signal.signal(getattr(signal, value), signal.SIG_IGN)
        else:
            sys.exit("unknown restriction " + restriction)
    # Python itself ignores these two.
    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        if signal.getsignal(number) == signal.SIG_IGN and f"ignore={number.name}" not in sys.argv:
            signal.signal(number, signal.SIG_DFL)
    if is_confined:
        install_landlock(below)
    if denied:
        install_filter(denied)
    os.execvp(sys.argv[separator + 1], sys.argv[separator + 1:])


main()
