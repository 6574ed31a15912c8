"""The rule that says who may talk with this node: what is set comes first, and a passphrase alone makes a group."""
from __future__ import annotations

from typing import Any

import pytest

from tribler_multicast.policy import check_policy, checked_from_the_start, effective_policy
from tribler_multicast.settings import SettingError, Settings

PASSPHRASE = {"group_passphrase": "correct horse"}


@pytest.mark.parametrize(("set_values", "policy"), [
    ({}, "everyone"), (PASSPHRASE, "group"), ({"policy": "friends"}, "friends"), ({"policy": "everyone"}, "everyone"),
    ({"policy": "group", **PASSPHRASE}, "group"), ({"policy": "everyone", **PASSPHRASE}, "everyone"),
    ({"policy": "friends", **PASSPHRASE}, "friends"), ({"group_passphrase": ""}, "everyone")])
def test_policy_in_force_follows_from_what_is_set_and_where_it_is_set_does_not_matter(
        set_values: dict[str, str], policy: str) -> None:
    environment = {f"TRIBLER_MULTICAST_{name.upper()}": value for name, value in set_values.items()}
    later = Settings()
    later.update(set_values)
    for options in (Settings(set_values), Settings(None, environment), Settings(None, None, set_values), later):
        assert effective_policy(options) == policy
        check_policy(options)
    assert effective_policy(Settings(), set_values) == policy
    assert effective_policy(set_values) == policy


@pytest.mark.parametrize(("before", "changes"), [
    ({}, {"policy": "group"}), ({"policy": "group", **PASSPHRASE}, {"group_passphrase": ""}),
    ({"policy": "friends"}, {"policy": "group"}), ({"policy": "group"}, {})])
def test_a_group_without_a_passphrase_is_refused_in_one_line(before: dict[str, Any], changes: dict[str, Any]) -> None:
    with pytest.raises(SettingError) as error:
        check_policy(Settings(before), changes)
    assert "passphrase" in str(error.value)
    assert "\n" not in str(error.value)


def test_changes_are_looked_at_together() -> None:
    check_policy(Settings(), {"policy": "group", **PASSPHRASE})
    check_policy(Settings({"policy": "group", **PASSPHRASE}), {"policy": "everyone", "group_passphrase": ""})


def test_a_secret_is_in_no_error_and_no_description() -> None:
    for value in (5, ["hunter2"], "hunter2\n", "hunter2" * 200, None):
        with pytest.raises(SettingError) as error:
            Settings({"group_passphrase": value})
        assert "hunter2" not in str(error.value)
    described = Settings({"group_passphrase": "hunter2"}).describe()
    assert "hunter2" not in repr(described)
    [setting] = [setting for setting in described if setting["name"] == "group_passphrase"]
    assert (setting["value"], setting["source"]) == (None, "file")


@pytest.mark.parametrize(("untrusted", "among_strangers", "among_chosen"), [
    ("nobody", False, False), ("strangers", True, False), ("everyone", True, True)])
def test_who_is_untrusted_is_checked_from_the_start(untrusted: str, among_strangers: bool, among_chosen: bool) -> None:
    assert checked_from_the_start(untrusted, strangers=True, named=False) is among_strangers
    assert checked_from_the_start(untrusted, strangers=False, named=False) is among_chosen


def test_who_was_caught_has_all_checked_whatever_is_set() -> None:
    assert checked_from_the_start("nobody", strangers=False, named=True)
    assert not checked_from_the_start("nobody", strangers=True, named=False)
