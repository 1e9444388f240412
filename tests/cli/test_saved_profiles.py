"""Sessions saved as profiles: what is written where and how, and which profiles are left alone."""

from __future__ import annotations

import configparser
import os
import stat
import threading
from pathlib import Path

import pytest
from tests.client.stage import START, credentials

from locum.cli.saved_profiles import check_free, save
from locum.client.failures import ConfigurationFailure
from locum.client.profiles import load
from locum.client.transport import Blocking

pytestmark = pytest.mark.skipif(not hasattr(os, "geteuid"), reason="file modes and owners are POSIX's")

URL = "http://127.0.0.1:8380"


class Home:
    """A home directory."""

    def __init__(self, path: Path) -> None:
        self.environment = {"HOME": str(path)}
        self.shared = path / ".aws"

    def write(self, name: str, text: str, mode: int = 0o600) -> Path:
        self.shared.mkdir(mode=0o700, exist_ok=True)
        path = self.shared / name
        path.write_text(text)
        path.chmod(mode)
        return path

    def save(
        self, name: str = "work", which: str = "A", region: str | None = "eu-west-1", url: str | None = URL
    ) -> None:
        save(name, credentials(which, START), region, url, self.environment)

    def read(self, name: str) -> str:
        return (self.shared / name).read_text()


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.facts("STS-CL-033")
def test_a_session_becomes_a_profile_of_both_files(home: Home) -> None:
    before = os.umask(0)
    try:
        home.save()
    finally:
        os.umask(before)
    assert home.read("credentials") == (
        "[work]\naws_access_key_id = ASIAA\naws_secret_access_key = secret-A\naws_session_token = token-A\n"
        "x_security_token_expires = 2027-01-15T08:00:00+00:00\n"
    )
    assert (mode(home.shared), mode(home.shared / "credentials"), mode(home.shared / "config")) == (0o700, 0o600, 0o600)
    assert sorted(path.name for path in home.shared.iterdir()) == ["config", "credentials"]
    files = Blocking().run(load(home.environment))
    profile = files.find("work")
    assert profile.text("region") == "eu-west-1"
    assert profile.text("endpoint_url") is None
    assert [files.service(profile, each).get("endpoint_url") for each in ("sts", "iam", "s3")] == [URL, URL, None]


def test_a_session_takes_the_place_of_the_one_before(home: Home) -> None:
    home.write("credentials", "[other]\naws_access_key_id = AKIAX\n", 0o644)
    home.save()
    home.save(which="B", url="http://127.0.0.1:2")
    parser = configparser.RawConfigParser()
    parser.read(home.shared / "credentials")
    assert (parser["work"]["aws_access_key_id"], parser["other"]["aws_access_key_id"]) == ("ASIAB", "AKIAX")
    assert mode(home.shared / "credentials") == 0o600
    assert home.read("config").count("[") == 2
    assert "127.0.0.1:8380" not in home.read("config")


def test_without_a_place_only_the_keys_are_written(home: Home) -> None:
    home.save(region=None, url=None)
    assert [path.name for path in home.shared.iterdir()] == ["credentials"]


def test_endpoints_that_a_profile_names_stay(home: Home) -> None:
    for said in ("endpoint_url = http://mine.example", "services = mine"):
        home.write("config", f"[profile work]\n{said}\n")
        home.save()
        assert home.read("config") == f"[profile work]\n{said}\nregion = eu-west-1\n"


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("credentials", "[work]\naws_access_key_id = AKIAX\naws_secret_access_key = y\n"),
        ("credentials", "[work]\naws_access_key_id = AKIAX\naws_session_token =\n"),
        ("config", "[profile work]\nrole_arn = x\nsource_profile = y\n"),
        ("config", "[profile 'work']\ncredential_process = x\n"),
        ("config", "[profile work]\nsso_session = x\n"),
        ("config", "[profile work]\naws_access_key_id = AKIAX\n"),
        ("config", "no section\n"),
    ],
)
def test_what_somebody_would_miss_is_not_overwritten(home: Home, file: str, text: str) -> None:
    home.write(file, text)
    with pytest.raises(ConfigurationFailure, match=rf"{file}, line \d"):
        check_free("work", home.environment)
    with pytest.raises(ConfigurationFailure, match=rf"{file}, line \d"):
        home.save()
    assert home.read(file) == text
    other = "credentials" if file == "config" else "config"
    assert file == "credentials" or not (home.shared / other).exists()


def test_a_profile_that_is_a_session_or_not_there_is_free(home: Home) -> None:
    check_free("work", home.environment)
    assert not home.shared.exists()
    home.save()
    check_free("work", home.environment)
    with pytest.raises(ConfigurationFailure, match="profile's name"):
        check_free("a b", home.environment)


def test_a_link_stays_a_link(home: Home, tmp_path: Path) -> None:
    kept = tmp_path / "dotfiles"
    kept.mkdir(mode=0o700)
    (kept / "credentials").write_text("# mine\n")
    home.shared.mkdir(mode=0o700)
    (home.shared / "credentials").symlink_to(kept / "credentials")
    home.save()
    assert (home.shared / "credentials").is_symlink()
    assert "# mine\n\n[work]\n" in (kept / "credentials").read_text()
    assert mode(kept / "credentials") == 0o600


def test_a_directory_that_others_write_to_is_refused(home: Home) -> None:
    home.write("credentials", "")
    home.shared.chmod(0o777)
    with pytest.raises(ConfigurationFailure, match="not yours alone"):
        home.save()


def test_what_is_no_file_is_refused(home: Home) -> None:
    home.shared.mkdir(mode=0o700)
    os.mkfifo(home.shared / "credentials")
    with pytest.raises(ConfigurationFailure, match="not a file of your own"):
        home.save()
    with pytest.raises(ConfigurationFailure, match="not a file of your own"):
        check_free("work", home.environment)


def test_many_at_once_lose_nothing(home: Home) -> None:
    names = [f"work-{number}" for number in range(8)]
    threads = [threading.Thread(target=home.save, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    files = Blocking().run(load(home.environment))
    assert sorted(files.profiles) == names
