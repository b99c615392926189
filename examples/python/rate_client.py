"""Send messages to rate_server for some seconds, one send each, and print how many go out in a second.

Example: python rate_client.py 127.0.0.1 7000 --size 64 --seconds 2
"""

import argparse
from time import monotonic

from sdcore.socket import socket

BATCH = 1024


def send_for(connection: socket, message: bytes, seconds: float) -> None:
    """Send as fast as the server takes it."""
    start = last = monotonic()
    messages = since_last = 0
    while last - start < seconds:
        for _ in range(BATCH):
            connection.sendall(message)
        messages += BATCH
        since_last += BATCH
        now = monotonic()
        if now - last >= 1 or now - start >= seconds:
            print(f"{since_last / (now - last):.0f} messages/s", flush=True)
            since_last, last = 0, now
    print(f"{messages} messages; mean {messages / (last - start):.0f} messages/s", flush=True)


def main() -> None:
    """Connect, send, end."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("host")
    parser.add_argument("port", type=int)
    parser.add_argument("--size", type=int, default=8, help="bytes of a message, as at the server")
    parser.add_argument("--seconds", type=float, default=5)
    options = parser.parse_args()
    with socket() as connection:
        connection.connect((options.host, options.port))
        send_for(connection, b"x" * options.size, options.seconds)


if __name__ == "__main__":
    main()
