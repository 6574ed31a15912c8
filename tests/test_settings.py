from __future__ import annotations

import functools
import json
import logging
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from tribler_multicast import settings as settings_module
from tribler_multicast.settings import SETTINGS, Setting, SettingError, Settings, check, parse

JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
                    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=3))


def test_defaults_are_the_documented_ones_and_good_values() -> None:
    settings = Settings()
    assert {name: settings[name] for name in SETTINGS} == {
        "enabled": True, "nickname": "", "interfaces": [], "interfaces_deny": [], "ipv4": True, "ipv6": True,
        "introduction_interval": 5.0, "port": 32109, "control_port": 32110, "log_level": "warning",
        "policy": "everyone", "group_passphrase": "", "visibility": "visible", "visibility_networks": [],
        "weather": True, "step_aside": True, "room_for_others": True, "least_share": 0.1,
        "search_local_peers": 10, "share": [], "download_folder": "", "torrent_port": 0, "upload_rate": 0,
        "download_rate": 0, "connections": 200, "dht": False, "feed_interval": 30.0, "feed_port": 0,
        "feed_upload_url": "", "feed_upload_method": "PUT", "feed_upload_token": "", "coded": True,
        "transfer_rate": 0, "untrusted": "nobody", "cooperate": True, "tracker_enabled": False,
        "subscribe_folder": "", "subscribe_size": 20 * 2**30,
        "tracker_host": "127.0.0.1", "tracker_port": 6969}
    assert {settings.source(name) for name in SETTINGS} == {"default"}
    for name, setting in SETTINGS.items():
        assert name == setting.name
        assert check(setting, settings[name]) == settings[name]
        assert setting.help.endswith(".")
        assert "\n" not in setting.help


def test_only_ports_and_what_is_loaded_need_a_restart() -> None:
    assert {name for name, setting in SETTINGS.items() if setting.needs_restart} == {
        "port", "control_port", "torrent_port", "coded"}


def test_command_line_beats_environment_beats_file_beats_default() -> None:
    file = {"nickname": "file", "port": 2000, "log_level": "info"}
    environment = {"TRIBLER_MULTICAST_NICKNAME": "environment", "TRIBLER_MULTICAST_PORT": "3000", "HOME": "/"}
    settings = Settings(file, environment, {"nickname": "command line"})
    assert [(settings[name], settings.source(name)) for name in ("nickname", "port", "log_level", "ipv4")] == [
        ("command line", "command line"), (3000, "environment"), ("info", "file"), (True, "default")]


def test_change_while_running_counts_at_once_and_is_the_files_even_against_the_command_line() -> None:
    settings = Settings({}, {"TRIBLER_MULTICAST_IPV6": "false"}, {"nickname": "a"})
    settings.update({"nickname": "b", "ipv6": True})
    assert (settings["nickname"], settings.source("nickname")) == ("b", "file")
    assert (settings["ipv6"], settings.source("ipv6")) == (True, "file")
    assert settings.file_values() == {"nickname": "b", "ipv6": True}


def test_file_gets_neither_defaults_nor_what_the_command_line_or_environment_said() -> None:
    settings = Settings({"port": 2000}, {"TRIBLER_MULTICAST_IPV6": "false"}, {"nickname": "a"})
    assert settings.file_values() == {"port": 2000}


@pytest.mark.parametrize(("name", "text", "value"), [
    ("enabled", "true", True), ("enabled", "False", False), ("port", "2000", 2000), ("port", " 2000 ", 2000),
    ("introduction_interval", "7", 7.0), ("introduction_interval", "7.5", 7.5), ("introduction_interval", "1e1", 10.0),
    ("interfaces", "", []), ("interfaces", "eth0", ["eth0"]),
    ("interfaces", "eth0, Ethernet 2 ,eth0", ["eth0", "Ethernet 2"]),
    ("nickname", "", ""), ("nickname", " a,b ", " a,b "), ("log_level", "debug", "debug")])
def test_text_is_parsed(name: str, text: str, value: object) -> None:
    parsed = parse(SETTINGS[name], text)
    assert parsed == value
    assert type(parsed) is type(value)
    assert Settings(command_line={name: text})[name] == value


@pytest.mark.parametrize(("name", "text"), [
    ("enabled", ""), ("enabled", "yes"), ("enabled", "1"), ("port", ""), ("port", "abc"), ("port", "1023"),
    ("port", "65536"), ("port", "2000.0"), ("port", "0x800"), ("port", "2_000"),
    ("port", "\u0663\u0662\u0661\u0660\u0669"), ("port", "9" * 5000), ("port", "-32109"),
    ("control_port", "65520"), ("introduction_interval", "nan"), ("introduction_interval", "inf"),
    ("introduction_interval", "0.99"), ("introduction_interval", "60.01"), ("introduction_interval", "1_0"),
    ("introduction_interval", "1e999"), ("introduction_interval", "fast"), ("interfaces", ","), ("interfaces", "a,,b"),
    ("interfaces", "a\nb"), ("interfaces", "x" * 257), ("interfaces", ",".join(map(str, range(65)))),
    ("nickname", "x" * 65), ("nickname", "é" * 33), ("nickname", "a\x1b[31m"), ("nickname", "a\nb"),
    ("nickname", "\x85"), ("nickname", "\ud800"), ("nickname", "\u202eexe"), ("nickname", "\u2028"),
    ("visibility", "hidden"), ("visibility", ""), ("visibility_networks", "192.168.1.1"),
    ("visibility_networks", "192.168.1.1=loud"), ("visibility_networks", "=listen"),
    ("visibility_networks", "eth0=off"),
    ("visibility_networks", "192.168.1.256=off"), ("visibility_networks", "02:00:00:00:01=off"),
    ("visibility_networks", "192.168.1.1=off,192.168.1.1=listen"), ("visibility_networks", "192.168.1.0/24=off"),
    ("visibility_networks", "02:00:00:00:01:FE=off,02-00-00-00-01-fe=listen"),
    ("nickname", "a\0"), ("log_level", "loud"), ("log_level", "")])
def test_wrong_text_is_refused_in_one_line_that_names_the_setting(name: str, text: str) -> None:
    for attempt in (lambda: parse(SETTINGS[name], text), lambda: Settings(command_line={name: text}),
                    lambda: Settings(environment={"TRIBLER_MULTICAST_" + name.upper(): text})):
        with pytest.raises(SettingError) as error:
            attempt()
        message = str(error.value)
        assert name in message.lower()
        assert len(message) < 200
        assert message.isprintable()


@pytest.mark.parametrize(("name", "value"), [
    ("nickname", "é" * 32), ("nickname", "\U0001f469\u200d\U0001f4bb"), ("port", 1024), ("port", 65535),
    ("control_port", 65519), ("introduction_interval", 1), ("introduction_interval", 60.0),
    ("interfaces", [str(number) for number in range(64)])])
def test_limits_themselves_are_good_values(name: str, value: object) -> None:
    settings = Settings()
    settings.update({name: value})
    assert settings[name] == value


@pytest.mark.parametrize(("name", "value"), [
    ("enabled", 1), ("enabled", 0), ("enabled", None), ("enabled", "true"), ("port", "2000"),
    ("port", 2000.0), ("port", True), ("port", None), ("port", [2000]), ("introduction_interval", "5"),
    ("introduction_interval", True),
    ("introduction_interval", float("nan")), ("introduction_interval", float("inf")),
    ("nickname", 5), ("nickname", None), ("nickname", ["a"]), ("nickname", b"a"), ("interfaces", "eth0"),
    ("interfaces", None),
    ("interfaces", [1]), ("interfaces", ["eth0", None]), ("interfaces", {"eth0": 1}), ("interfaces", [["eth0"]]),
    ("interfaces", [""]), ("interfaces", ["a,b"]), ("interfaces", [" a"]), ("log_level", 3), ("log_level", "DEBUG")])
def test_value_of_the_wrong_type_is_refused_from_file_and_update(name: str, value: object) -> None:
    settings = Settings()
    with pytest.raises(SettingError, match=name):
        settings.update({name: value})
    assert settings.source(name) == "default"
    with pytest.raises(SettingError, match="settings.json: " + name):
        Settings(file={name: value})


@pytest.mark.parametrize("name", SETTINGS)
def test_value_too_large_to_print_is_refused_in_one_short_line(name: str) -> None:
    deep: list[object] = functools.reduce(lambda inner, _: [inner], range(100_000), [])
    for monster in (10**400, 10**5000, -10**5000, deep, "x" * 10_000_000):
        with pytest.raises(SettingError, match=name) as error:
            Settings().update({name: monster})
        assert len(str(error.value)) < 200


def test_update_is_all_or_nothing() -> None:
    settings = Settings({"port": 2000})
    told: list[set[str]] = []
    settings.subscribe(told.append)
    for bad in ({"port": 1}, {"no_such": 1}, {"nickname": 3}):
        with pytest.raises(SettingError):
            settings.update({"nickname": "new", "port": 3000, **bad})
    assert (settings["nickname"], settings["port"]) == ("", 2000)
    assert settings.file_values() == {"port": 2000}
    assert told == []


@pytest.mark.parametrize("name", ["no_such", "", "Port", "x" * 10_000, "a\nb", "__class__"])
def test_unknown_name_is_refused_in_one_short_line(name: str) -> None:
    for attempt in (lambda: Settings().update({name: 1}), lambda: Settings(command_line={name: "1"})):
        with pytest.raises(SettingError, match="there is no setting") as error:
            attempt()
        assert len(str(error.value)) < 100
        assert str(error.value).isprintable()


@pytest.mark.parametrize("changes", [None, [], "port", 5])
def test_update_with_no_object_is_refused(changes: Any) -> None:  # noqa: ANN401
    with pytest.raises(SettingError):
        Settings().update(changes)


@examples(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(sorted(SETTINGS)), JSON)
def test_any_json_value_is_refused_in_one_line_or_survives_the_file(name: str, value: object) -> None:
    settings = Settings()
    try:
        settings.update({name: value})
    except SettingError as error:
        assert str(error).isprintable()
        assert settings.file_values() == {}
    else:
        again = Settings(json.loads(json.dumps(settings.file_values(), allow_nan=False)))
        assert again[name] == settings[name]


@examples(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(sorted(SETTINGS)), st.text())
def test_any_text_is_parsed_or_refused_in_one_line(name: str, text: str) -> None:
    try:
        value = parse(SETTINGS[name], text)
    except SettingError as error:
        assert str(error).isprintable()
    else:
        assert check(SETTINGS[name], value) == value


def test_unknown_names_in_file_and_environment_are_said_and_kept(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        settings = Settings({"of_tomorrow": [1], "port": 2000}, {"TRIBLER_MULTICAST_NICKNAM": "x"})
    assert len(caplog.records) == 1
    assert "of_tomorrow" in caplog.text
    assert "TRIBLER_MULTICAST_NICKNAM" in caplog.text
    settings.update({"port": 3000})
    assert settings.file_values() == {"of_tomorrow": [1], "port": 3000}


def test_subscribers_are_told_what_changed_and_a_failing_one_does_not_stop_the_others(
        caplog: pytest.LogCaptureFixture) -> None:
    settings = Settings()
    told: list[tuple[set[str], object]] = []

    def fails(_: set[str]) -> None:
        raise RuntimeError

    settings.subscribe(fails)
    settings.subscribe(lambda names: told.append((names, settings["nickname"])))
    settings.update({"nickname": "a", "port": 32109})
    assert told == [({"nickname"}, "a")]
    assert "RuntimeError" in caplog.text


def test_a_policy_that_is_set_to_what_it_is_by_default_is_a_change_because_a_passphrase_alone_means_group() -> None:
    settings = Settings()
    settings.update({"group_passphrase": "correct horse battery"})
    told: list[set[str]] = []
    settings.subscribe(told.append)
    settings.update({"policy": "everyone"})
    settings.update({"policy": "everyone"})
    assert told == [{"policy"}]


def test_subscribers_are_not_told_of_a_change_to_the_same_value_or_after_they_left() -> None:
    settings = Settings({"nickname": "a"})
    told: list[set[str]] = []
    settings.subscribe(told.append)
    settings.update({"nickname": "a", "interfaces": []})
    assert told == []
    assert settings.file_values() == {"nickname": "a", "interfaces": []}
    settings.unsubscribe(told.append)
    settings.unsubscribe(told.append)
    settings.update({"nickname": "b"})
    assert told == []


def test_lists_handed_out_are_copies() -> None:
    settings = Settings({"interfaces": ["eth0"]})
    settings["interfaces"].append("eth1")
    settings["interfaces_deny"].append("eth1")
    settings.file_values()["interfaces"].append("eth1")
    assert settings["interfaces"] == ["eth0"]
    assert settings["interfaces_deny"] == []


def test_list_that_was_handed_in_is_a_copy() -> None:
    names = ["eth0"]
    settings = Settings()
    settings.update({"interfaces": names})
    names.append("eth1")
    assert settings["interfaces"] == ["eth0"]


def test_unknown_setting_is_a_key_error_for_a_program() -> None:
    with pytest.raises(KeyError):
        Settings()["no_such"]
    with pytest.raises(KeyError):
        Settings().source("no_such")
    assert Settings().get("no_such", 7) == 7
    assert Settings().get("port") == 32109


def test_description_is_json_with_every_field_of_every_setting() -> None:
    settings = Settings({"port": 2000})
    described = json.loads(json.dumps(settings.describe(), allow_nan=False))
    assert [setting["name"] for setting in described] == list(SETTINGS)
    assert {frozenset(setting) for setting in described} == {frozenset((
        "name", "type", "unit", "default", "minimum", "maximum", "choices", "help", "value", "is_set",
        "needs_restart", "source"))}
    assert described[list(SETTINGS).index("port")] == {
        "name": "port", "type": "int", "unit": "", "default": 32109, "minimum": 1024, "maximum": 65535,
        "choices": None, "help": SETTINGS["port"].help, "value": 2000, "is_set": True,
        "needs_restart": True, "source": "file"}


def test_secret_is_never_shown_again(monkeypatch: pytest.MonkeyPatch) -> None:
    secret = Setting("passphrase", str, "", "", 8, 64, None, "A secret.", False, secret=True)
    monkeypatch.setitem(settings_module.SETTINGS, "passphrase", secret)
    settings = Settings({"passphrase": "hunter2222"})
    assert settings["passphrase"] == "hunter2222"
    assert "hunter" not in json.dumps(settings.describe())
    assert [setting["is_set"] for setting in settings.describe() if setting["name"] == "passphrase"] == [True]
    for bad in ("hunter", ["hunter"], "hunter\n22222", "hunter" * 20):
        with pytest.raises(SettingError) as error:
            settings.update({"passphrase": bad})
        assert "hunter" not in str(error.value)


@pytest.mark.parametrize(("entry", "rule"), [
    ("192.168.1.1=listen", ("192.168.1.1", "listen")), ("02:00:5E:10:00:FF=off", ("02:00:5e:10:00:ff", "off")),
    ("02-00-5e-10-00-ff=visible", ("02:00:5e:10:00:ff", "visible")), ("fe80::1%eth0=off", ("fe80::1", "off")),
    ("FD00:0::00fe = listen", ("fd00::fe", "listen"))])
def test_rules_for_networks_are_read_the_one_way(entry: str, rule: tuple[str, str]) -> None:
    assert Settings(command_line={"visibility_networks": entry})["visibility_networks"] == [entry]
    assert settings_module.network_rule(entry) == rule
