"""Send a long message whose last page cannot be read, to the port that is given: the library dies while it copies."""

from __future__ import annotations

import ctypes
import mmap
import socket
import sys

BYTES = 256 * 1024
libc = ctypes.CDLL(None, use_errno=True)

connection = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
connection.sendall(b"!")
assert connection.recv(1) == b"!"  # both ends are on their transport
memory = mmap.mmap(-1, BYTES)
memory.write(bytes(range(256)) * (BYTES // 256))
start = ctypes.addressof(ctypes.c_char.from_buffer(memory))
assert libc.mprotect(ctypes.c_void_p(start + BYTES - mmap.PAGESIZE), mmap.PAGESIZE, 0) == 0
libc.send(connection.fileno(), ctypes.c_void_p(start), ctypes.c_size_t(BYTES), 0)
