"""The documentation builds, says what the program says, and its links lead somewhere."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from napari_annotrain import cli

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")]


def test_the_settings_page_is_up_to_date(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    import settings_page

    assert settings_page.PAGE.read_text() == settings_page.page(), "run: make docs"


def test_the_website_builds_without_a_warning(tmp_path):
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path / "site")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.stem)
def test_links_of_a_page_lead_to_files(page):
    links = re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text())
    assert all((page.parent / link).exists() for link in links), links


@pytest.mark.parametrize("verb", ["train", "predict", "compare", "evaluate", "measure", "models"])
def test_the_command_line_page_names_every_verb(verb):
    assert f"annotrain {verb}" in (ROOT / "docs" / "command-line.md").read_text()
    assert cli.run([verb, "--help"]) == cli.DONE
