"""An object's last member is split off as text, whatever is before or inside it."""

import json

from invoicing.contracts.raw_member import split_first, split_last

DOCUMENT = '{"memo":",\\"document\\":{","metadata":{"document":"x"}}'


def append_member(json_object: str, name: str, member: str) -> str:
    return f'{json_object[:-1]},"{name}":{member}}}'


def test_what_was_appended_is_split_off() -> None:
    text = append_member('{"version":1}', "document", DOCUMENT)

    assert json.loads(text)["document"] == json.loads(DOCUMENT)
    assert split_first(text, "document") == split_last(text, "document")
    assert split_last(text, "document") == ('{"version":1}', DOCUMENT)


def test_a_key_that_a_client_chose_before_the_member_is_not_taken_for_it() -> None:
    state = '{"version":1,"payments":{"p":{},"document":{"amount":"1.00"}}}'

    assert split_last(append_member(state, "document", DOCUMENT), "document") == (state, DOCUMENT)


def test_a_key_that_a_client_chose_inside_the_member_is_not_taken_for_it() -> None:
    data = '{"details":{"a":"b","data":{"c":"d"}}}'

    event = append_member('{"id":"1"}', "data", data)

    assert split_first(event, "data") == ('{"id":"1"}', data)


def test_a_missing_member_is_empty() -> None:
    assert split_first('{"version":1}', "data")[1] == ""
