"""Alertmanager, from Debian's package: it tells people what fires, where an installation knows whom to tell."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from stack import debian, prometheus
from stack.cache import fetch_once
from stack.part import Program, StackError
from stack.settings import REPOSITORY, StackSettings

# Debian's version looks for its templates in /usr/share alone, and nothing is installed there: it runs with a view of
# its own of that folder, in which the package's lies over the machine's. Nobody else sees it; it takes no privilege.
_AS_IF_INSTALLED = (
    """mount -t overlay overlay -o "ro,lowerdir=$1/usr/share:/usr/share" /usr/share && shift && exec "$@\""""
)
_OWN_VIEW = ("unshare", "--map-root-user", "--mount", "sh", "-c", _AS_IF_INSTALLED, "sh")
CONFIGURATION = REPOSITORY / "deploy" / "alertmanager" / "alertmanager.yml"


def is_wanted(settings: StackSettings) -> bool:
    """Whether there is anybody to tell: nobody is told by an Alertmanager without an address."""
    return bool(_receivers(settings))


def fetch(settings: StackSettings) -> None:
    """Bring the package, once. Raises StackError where that is not possible."""
    if not shutil.which(_OWN_VIEW[0]):
        raise StackError(f"it takes {_OWN_VIEW[0]}, of util-linux, which is not here")
    fetch_once(_package(settings), lambda draft: debian.unpack("prometheus-alertmanager", into=draft))


def is_fetched(settings: StackSettings) -> bool:
    return _package(settings).exists()


def prepare(settings: StackSettings) -> None:
    """Write the configuration: the one of the repository, with the addresses of this installation."""
    folder = _folder(settings)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / CONFIGURATION.name
    path.touch(mode=0o600)
    path.write_text(yaml.safe_dump(configuration(settings), sort_keys=False))


def configuration(settings: StackSettings) -> Any:
    """The repository's, with addresses instead of the files that hold them, which Debian's version can't read.

    A receiver whose address is not known is told nothing.
    """
    found = yaml.safe_load(CONFIGURATION.read_text())
    addresses = {path.name: path.read_text().strip() for path in _receivers(settings)}
    for receiver in found["receivers"]:
        webhooks = receiver.pop("webhook_configs")
        known = [(webhook, addresses.get(Path(webhook.pop("url_file")).name)) for webhook in webhooks]
        receiver["webhook_configs"] = [{**webhook, "url": url} for webhook, url in known if url]
    return found


def program(settings: StackSettings) -> Program:
    folder = _folder(settings)
    return Program(
        name="alertmanager",
        command=(
            *_OWN_VIEW,
            str(_package(settings).resolve()),
            str(_package(settings) / "usr" / "bin" / "prometheus-alertmanager"),
            f"--config.file={folder / CONFIGURATION.name}",
            f"--storage.path={folder / 'data'}",
            f"--web.listen-address={settings.host}:{settings.alertmanager_port}",
            # One is enough for one machine: no gossip with others.
            "--cluster.listen-address=",
        ),
        directory=folder,
        is_ready=lambda: prometheus.answers(f"http://{settings.host}:{settings.alertmanager_port}"),
    )


def amtool(settings: StackSettings) -> Path:
    """The program that checks a configuration."""
    return _package(settings) / "usr" / "bin" / "amtool"


def _receivers(settings: StackSettings) -> Sequence[Path]:
    return sorted(path for path in settings.receivers.glob("*") if path.is_file())


def _folder(settings: StackSettings) -> Path:
    return settings.folder / "alertmanager"


def _package(settings: StackSettings) -> Path:
    return settings.cache / "alertmanager-debian"
