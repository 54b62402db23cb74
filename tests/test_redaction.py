"""No token in any output, whatever a server, a library or a bug writes, and however it is written."""

import base64
import logging
import os
import subprocess
import sys
import warnings
from pathlib import Path
from urllib.parse import quote

import pytest
from hub_server import HubServer

from rella_hub import cli
from rella_hub.cli.redaction import HIDDEN, redacted
from rella_hub.hub import client
from rella_hub.hub.sending import private_copy

REPOSITORY = Path(__file__).parents[1]
TOKEN = "hf_SecretOfNobodyAtAll0123456789abcd"
FORMS = {
    "itself": TOKEN,
    "in a word": f"x{TOKEN}y",
    "a header": f"Authorization: Bearer {TOKEN}",
    "small letters": TOKEN.lower(),
    "percent": quote(f"a {TOKEN}"),
    "all percent": "".join(f"%{ord(letter):02X}" for letter in TOKEN),
    "escaped": "".join(f"\\u{ord(letter):04x}" for letter in TOKEN),
    "entities": "".join(f"&#{ord(letter)};" for letter in TOKEN),
    "hexadecimal": TOKEN.encode().hex(),
    **{f"Base64, {n} before": base64.b64encode(b"u" * n + TOKEN.encode() + b":").decode() for n in range(4)},
    "Base64 of an address": base64.urlsafe_b64encode(f"https://x:{TOKEN}@y".encode()).decode(),
}


@pytest.fixture
def token(monkeypatch, tmp_path):
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HF_TOKEN", TOKEN)


def parts_of_token(text: str) -> list[str]:
    """Pieces of the token that can still be read, in the clear or encoded."""
    decoded = [text, text.lower()]
    pieces = [TOKEN[i : i + 12] for i in range(len(TOKEN) - 11)]
    encoded = [base64.b64encode(TOKEN.encode()[i : i + 9]).decode() for i in range(len(TOKEN) - 9)]
    return [piece for piece in (*pieces, *encoded) if any(piece in one or piece.lower() in one for one in decoded)]


@pytest.mark.parametrize("form", FORMS)
def test_a_token_goes_in_every_form(token, form):
    shown = redacted(f"the server says {FORMS[form]} and goes on")
    assert HIDDEN in shown
    assert not parts_of_token(shown)
    assert shown.startswith("the server says ")
    assert shown.endswith(" and goes on")


@pytest.mark.parametrize(
    "text",
    [
        "hf_ABCDEFGHIJ0123456789",
        "Bearer abcdefgh12345678",
        "https://me:secret@proxy.example/",
        "authorization: abcdefgh1234",
    ],
)
def test_what_looks_like_a_token_goes_whoever_has_it(text):
    assert HIDDEN in redacted(text)


@pytest.mark.parametrize(
    "text",
    [
        "HF_HUB_OFFLINE, hf_transfer, hf_hub_download and hf_datasets stay",
        "https://huggingface.co/settings/tokens (role 'read')",
        "rella/ml1m@0123abcd, sha256:0123456789abcdef",
        "set HF_TOKEN to a token with write permission; a bearer of it may write",
    ],
)
def test_ordinary_words_stay(text):
    assert redacted(text) == text


def test_stored_tokens_and_passwords_of_addresses_are_known(monkeypatch, tmp_path):
    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    monkeypatch.setenv("HTTPS_PROXY", "http://me:pass%20phrase@proxy.example:8080")
    (tmp_path / "token").write_text("stored-token-1\n")
    (tmp_path / "stored_tokens").write_text("[one]\nhf_token = stored-token-2\n[two]\nhf_token=stored-token-3\n")
    text = "stored-token-1 stored-token-2 stored-token-3 pass phrase"
    assert redacted(text) == " ".join([HIDDEN] * 4)


def test_everything_that_a_command_says_is_redacted(token, capsys):
    def main():
        print("out", TOKEN)
        print("err", TOKEN, file=sys.stderr)
        logging.getLogger("some.library").error("logged %s", TOKEN)
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.showwarning(f"warned {TOKEN}", UserWarning, "x.py", 1)
        raise ValueError(f"refused\ud800 {TOKEN}")

    with pytest.raises(SystemExit) as end:
        cli.run(main)
    assert end.value.code == 2
    said = "".join(capsys.readouterr())
    assert not parts_of_token(said)
    assert f"error: refused\\ud800 {HIDDEN}" in said


def test_the_traceback_of_a_bug_is_redacted(tmp_path):
    code = f"from rella_hub import cli\ndef main():\n    raise KeyError('{TOKEN}')\ncli.run(main)\n"
    environment = {**os.environ, "HF_TOKEN": TOKEN, "HF_HOME": str(tmp_path), "PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert f"KeyError: '{HIDDEN}'" in done.stderr
    assert "Traceback" in done.stderr
    assert not parts_of_token(done.stdout + done.stderr)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 500])
def test_a_server_that_repeats_the_header_does_not_get_it_printed(status, tmp_path, command, monkeypatch, capsys):
    """In the message, in its headers and in Base64: by `push` on the way up, by `score` on the way down."""
    from huggingface_hub import constants

    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.setattr("rella_hub.hub.retry.time.sleep", lambda _: None)
    monkeypatch.setattr("huggingface_hub.utils._http.time.sleep", lambda _: None)
    monkeypatch.chdir(tmp_path)
    message = f"Bearer {TOKEN} {FORMS['all percent']} {FORMS['Base64, 1 before']}"
    with HubServer() as hub:
        monkeypatch.setattr(constants, "ENDPOINT", hub.endpoint)
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        hub.fail("GET|HEAD|POST", ".", status=status, message=message, times=None, headers={"X-Error-Message": message})
        assert command("evaluation/push_metrics.py", "--namespace", "rella") == 2
        score = ("--base", "org/base", "--dataset", "org/data", "--config_name", "subr_k5")
        assert command("evaluation/score.py", *score) == 2
    said = "".join(capsys.readouterr())
    assert said.count("error: ") == 2
    assert not parts_of_token(said)


def test_a_file_that_holds_the_token_is_not_sent(token, tmp_path, monkeypatch):
    monkeypatch.setattr("rella_hub.hub.sending.BLOCK", 16)
    for before in range(20):  # wherever two blocks meet
        (tmp_path / "card.md").write_text("-" * before + TOKEN + "-")
        with pytest.raises(ValueError, match=r"card.md holds a token of this machine, so nothing is sent"):
            private_copy(tmp_path / "card.md", tmp_path / f"copy{before}")


@pytest.mark.parametrize(
    ("endpoint", "refused"),
    [
        ("http://hub.example", True),
        ("http://192.0.2.7:8080", True),
        ("http://127.0.0.1.example", True),
        ("http://127.0.0.1:8080", False),
        ("http://localhost", False),
        ("https://hub.example", False),
    ],
)
def test_a_token_does_not_travel_unencrypted(token, monkeypatch, endpoint, refused):
    monkeypatch.setattr(client.constants, "ENDPOINT", endpoint)
    if refused:
        with pytest.raises(ValueError, match="your token would be readable on the way"):
            client.hub_api()
        monkeypatch.delenv("HF_TOKEN")
        monkeypatch.setattr(client, "get_token", lambda: None)
    client.hub_api()
