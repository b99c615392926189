"""The C ring does what its reference does, byte for byte and position for position, over any script of both ends.

The functions of core/ring.h and ring.c are compiled as they are, each behind a linkable one, and reached through cffi.
A script is long enough to go around the ring and past 32 bits, and sizes are drawn at the bounds: the rewind's, the
copy loop's, the ring's end, all the room there is.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from cffi import FFI
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sdcore.protocol import layout
from sdcore.protocol.ring_model import REWIND_FROM, REWIND_TO, Consumer, ImpossiblePositionError, Producer, Shared
from tests.property.c_machines import compile_shared, fenced

NATIVE = Path(__file__).parents[2] / "sdcore" / "native"
SIZE = layout.RING_BYTES
FRONT = layout.FRONT_BYTES
NO_SUCH_POSITION = -71  # -EPROTO
FLAGS = ("-O2", "-w", "-std=gnu11", "-D_GNU_SOURCE", "-ftls-model=initial-exec", f"-I{NATIVE}")
SOURCE = """
#include <stdlib.h>
#include "core/ring.c"
struct sd_globals sd_g;
__thread struct sd_thread *sd_self;
void sd_attend(struct sd_socket *s, struct sd_attention *a, uint32_t armed, bool data) { abort(); }
bool sd_token_enter_slow(struct sd_token *t, uintptr_t frame) { abort(); }
void sd_token_leave_slow(struct sd_token *t) { abort(); }
void sd_pin(struct sd_socket *s) { abort(); }
void sd_unpin(struct sd_socket *s) { abort(); }

static struct sd_direction dir;
static struct sd_tx tx;
static struct sd_rx rx;
static uint8_t front[SD_FRONT_BYTES], *rest; /* apart, as in a slab */

void start(uint64_t at)
{
    rest = rest ? rest : malloc(SD_RING_BYTES);
    memset(&dir, 0, sizeof dir);
    tx = (struct sd_tx){.tail = at, .base = at, .head_seen = at, .front = front, .rest = rest, .dir = &dir};
    rx = (struct sd_rx){.head = at, .base = at, .tail_seen = at, .front = front, .rest = rest, .dir = &dir};
    dir.p.tail = dir.p.base = dir.c.head = at;
}
void put(const uint8_t *from, size_t n) { sd_ring_put(&tx, tx.tail, from, n); sd_ring_publish(&tx, n); }
void get(uint8_t *to, size_t n) { sd_ring_get(&rx, rx.head, to, n); }
void release(size_t n) { sd_ring_release(&rx, n); }
long new_room(void) { return sd_ring_new_room(&tx); }
long new_bytes(void) { return sd_ring_new_bytes(&rx); }
bool may_rewind(void) { return sd_ring_may_rewind(&tx); }
void rewind_ring(void) { sd_ring_rewind(&tx); }
void forge(uint64_t tail, uint64_t head) { dir.p.tail = tail; dir.c.head = head; }
void places(uint64_t *to)
{
    uint64_t all[] = {tx.tail, tx.base, tx.head_seen, rx.head, rx.base, rx.tail_seen,
                      dir.p.tail, dir.p.base, dir.c.head};
    memcpy(to, all, sizeof all);
}
"""
DECLARED = """
void start(uint64_t at); void put(const uint8_t *from, size_t n); void get(uint8_t *to, size_t n);
void release(size_t n); long new_room(void); long new_bytes(void); bool may_rewind(void); void rewind_ring(void);
void forge(uint64_t tail, uint64_t head); void places(uint64_t *to);
"""
STARTS = st.sampled_from([0, 1, SIZE - 1, 2**32 - 1000, 2**32 - SIZE, 2**62])
SIZES = st.one_of(
    st.integers(0, 300),
    st.sampled_from([63, 64, 65, 255, 256, 257, REWIND_FROM - 1, REWIND_FROM, REWIND_TO - 1, REWIND_TO]),
    st.sampled_from([FRONT - 1, FRONT, FRONT + 1]),
    st.sampled_from([SIZE // 2, SIZE // 2 + 1, SIZE - 1, SIZE]),
)
CRing = tuple[FFI, Any, Any]
STEPS = st.tuples(st.sampled_from(["put", "take", "peek", "room", "bytes", "rewind"]), SIZES)


@pytest.fixture(scope="module")
def c_ring(tmp_path_factory: pytest.TempPathFactory) -> CRing:
    """The ring of the core, compiled, and how to make memory for it."""
    source = tmp_path_factory.mktemp("ring") / "ring.c"
    source.write_text(SOURCE)
    ffi = FFI()
    ffi.cdef(DECLARED)
    return ffi, fenced(ffi), ffi.dlopen(compile_shared(source, FLAGS))


class Both:
    """The reference and the C side by side; every step is compared."""

    def __init__(self, c_ring: CRing, at: int) -> None:
        self.ffi, self.new, self.c = c_ring
        self.c.start(at)
        self.ring = Shared(tail=at, base=at, head=at)
        self.producer = Producer(self.ring, at, at, at)
        self.consumer = Consumer(self.ring, at, at, at)
        self.stream = 0

    def text(self, count: int) -> bytes:
        """The next bytes of a stream that repeats only after a prime number of bytes."""
        start, self.stream = self.stream, (self.stream + count) % 251
        return (bytes(range(251)) * (count // 251 + 2))[start : start + count]

    def step(self, name: str, size: int) -> None:
        """One step of both, and their agreement."""
        getattr(self, name)(size)
        assert self.places() == self.expected()

    def places(self) -> list[int]:
        """All positions of the C ring."""
        places = self.ffi.new("uint64_t[9]")
        self.c.places(places)
        return list(places)

    def expected(self) -> list[int]:
        """All positions of the reference."""
        p, c, ring = self.producer, self.consumer, self.ring
        return [p.tail, p.base, p.head_seen, c.head, c.base, c.tail_seen, ring.tail, ring.base, ring.head]

    def put(self, size: int) -> None:
        text = self.text(min(size, self.producer.room))
        self.producer.put(text)
        memory = self.new("uint8_t[]", len(text))  # no byte more
        self.ffi.memmove(memory, text, len(text))
        self.c.put(memory, len(text))

    def got(self, size: int) -> bytes:
        """What the C ring gives."""
        memory = self.new("uint8_t[]", size)
        self.c.get(memory, size)
        return bytes(self.ffi.buffer(memory, size)) if size else b""

    def peek(self, size: int) -> None:
        count = min(size, self.consumer.available)
        assert self.got(count) == self.consumer.peek(count)

    def take(self, size: int) -> None:
        count = min(size, self.consumer.available)
        got = self.got(count)
        self.c.release(count)
        assert got == self.consumer.take(count)

    def room(self, _size: int) -> None:
        assert self.c.new_room() == self.producer.look()

    def bytes(self, _size: int) -> None:
        assert self.c.new_bytes() == self.consumer.look()

    def rewind(self, _size: int) -> None:
        assert self.c.may_rewind() == self.producer.may_rewind()
        if self.producer.may_rewind() and self.producer.head_seen == self.producer.tail:
            self.producer.rewind()
            self.c.rewind_ring()


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(at=STARTS, steps=st.lists(STEPS, max_size=40))
def test_the_ring_does_what_its_reference_does(c_ring: CRing, at: int, steps: list[tuple[str, int]]) -> None:
    both = Both(c_ring, at)
    for name, size in steps:
        both.step(name, size)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sizes=st.lists(SIZES, min_size=1, max_size=12))
def test_what_is_taken_is_what_was_put(c_ring: CRing, sizes: list[int]) -> None:
    """Each message goes through whole, as a ping-pong does: the ring is empty in between, and rewinds."""
    both = Both(c_ring, 0)
    for size in sizes:
        for name in ("room", "rewind", "put", "bytes", "peek", "take"):
            both.step(name, size)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(put=SIZES, taken=SIZES, tail=st.integers(-3, 2 * SIZE), head=st.integers(-3, 2 * SIZE))
def test_positions_that_cannot_be_are_refused(c_ring: CRing, put: int, taken: int, tail: int, head: int) -> None:
    both = Both(c_ring, 0)
    for name, size in (("put", put), ("bytes", 0), ("take", taken), ("room", 0)):
        both.step(name, size)
    both.ring.tail, both.ring.head = tail, head
    both.c.forge(tail % 2**64, head % 2**64)
    assert both.c.new_bytes() == looked(both.consumer)
    assert both.c.new_room() == looked(both.producer)
    both.ring.tail, both.ring.head = tail % 2**64, head % 2**64
    assert both.places() == both.expected()


def looked(end: Producer | Consumer) -> int:
    """The answer of the reference, in the words of the C."""
    try:
        return end.look()
    except ImpossiblePositionError:
        return NO_SUCH_POSITION
