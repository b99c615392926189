"""A program that locks its memory before or after it connects to itself: `locked_memory.py before|after FLAGS`.

Prints how much of it is resident, and by how much that grew by mappings of 64 MiB that nobody touched, in KiB.
"""

import ctypes
import mmap
import socket
import sys

LIBC = ctypes.CDLL(None, use_errno=True)


def resident_kib() -> int:
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))


def lock() -> None:
    if LIBC.mlockall(int(sys.argv[2])) != 0:
        sys.exit(f"mlockall: {ctypes.get_errno()}")


def talk() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        server, _ = listener.accept()
        client.sendall(b"x")
        assert server.recv(1) == b"x"
        client.close()
        server.close()


first = resident_kib()
if sys.argv[1] == "before":
    lock()
    untouched = mmap.mmap(-1, 64 << 20)
    talk()
else:
    untouched = mmap.mmap(-1, 64 << 20)
    talk()
    lock()
    more = mmap.mmap(-1, 64 << 20)
print(resident_kib(), resident_kib() - first)
