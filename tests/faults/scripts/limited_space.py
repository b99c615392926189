"""A program that limits its own address space, `limited_space.py PORT`: it prints the same without the library."""

import os
import resource
import socket
import subprocess
import sys

LIMIT = 600 << 20
EXECUTED = "import resource; print('executed:', resource.getrlimit(resource.RLIMIT_AS)[0])"


def room(size: int) -> str:
    """Whether so many bytes can still be had."""
    try:
        bytearray(size)
    except MemoryError:
        return "none"
    return "enough"


def talk(port: int) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=20) as end:
        end.sendall(b"hello")
        return end.recv(5, socket.MSG_WAITALL)


port = int(sys.argv[1])
if "before" in sys.argv:
    print(talk(port))
resource.setrlimit(resource.RLIMIT_AS, (LIMIT, LIMIT))
print(talk(port), resource.getrlimit(resource.RLIMIT_AS))
print("300 MiB:", room(300 << 20), "700 MiB:", room(700 << 20))
print("was", resource.prlimit(0, resource.RLIMIT_AS, (LIMIT // 2, LIMIT)), "is", resource.getrlimit(resource.RLIMIT_AS))
print("100 MiB:", room(100 << 20), "350 MiB:", room(350 << 20), flush=True)
if os.fork() == 0:
    print("child:", resource.getrlimit(resource.RLIMIT_AS), talk(port), flush=True)
    os._exit(0)
os.wait()
plain = {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}
if os.fork() == 0:
    try:
        os.execve("/nonexistent", ["/nonexistent"], plain)
    except FileNotFoundError:
        print("still", room(100 << 20), resource.getrlimit(resource.RLIMIT_AS), flush=True)
    os.execve(sys.executable, [sys.executable, "-I", "-c", EXECUTED], plain)
os.wait()
try:
    resource.setrlimit(resource.RLIMIT_AS, (LIMIT, LIMIT // 2))
except ValueError as error:
    print(error)
assert subprocess.run(["/bin/true"], check=False).returncode == 0
