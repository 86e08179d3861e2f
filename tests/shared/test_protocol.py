"""The wire: every message survives it, and what is no message is refused in words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import protocol

texts = st.text(max_size=200)
names = st.dictionaries(texts, st.one_of(st.none(), texts, st.lists(texts, max_size=3)), max_size=3)
facts = st.dictionaries(texts, st.one_of(st.none(), texts, st.integers(), st.booleans()), max_size=3)


@given(
    st.builds(protocol.Run, id=st.integers(0), stage=texts, backend=texts, inputs=names, params=facts, out_dir=texts)
)
def test_a_request_arrives_as_it_was_sent_on_one_line(message: protocol.Run) -> None:
    line = protocol.encode(message)
    assert line.count(b"\n") == 1
    assert protocol.decode_request(line) == message


@given(
    st.one_of(
        st.builds(
            protocol.Done, id=st.integers(0), outputs=names, facts=facts,
            seconds=st.floats(0, 1e9), cpu_s=st.floats(0, 1e9), memory_mb=st.none(),
        ),
        st.builds(protocol.Failed, id=st.none(), type=texts, message=texts, traceback=texts),
        st.builds(protocol.Progress, id=st.integers(0), done=st.floats(0, 1)),
    )
)  # fmt: skip
def test_an_event_arrives_as_it_was_sent(message: protocol.Event) -> None:
    assert protocol.decode_event(protocol.encode(message)) == message


def test_a_field_of_a_later_release_is_passed_over() -> None:
    assert protocol.decode_event(b'{"ev":"progress","id":1,"done":0.5,"colour":"red"}') == protocol.Progress(
        id=1, done=0.5
    )


@given(st.binary(max_size=300))
def test_what_is_no_message_is_refused(line: bytes) -> None:
    with pytest.raises(protocol.ProtocolError):
        protocol.decode_event(line)


@pytest.mark.parametrize("line", [b'{"ev":"sing"}', b'{"op":"load"}', b"{}", b"[]", b"null"])
def test_an_unknown_kind_is_refused(line: bytes) -> None:
    with pytest.raises(protocol.ProtocolError, match=f"not a message of protocol {protocol.PROTOCOL}"):
        protocol.decode_event(line)
