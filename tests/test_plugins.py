"""Finding providers: entry points, broken plugins, and providers registered in the process."""

from __future__ import annotations

import logging
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated

import pytest
from typing_extensions import TypedDict

from stt_core.errors import ConfigError
from stt_core.options import Doc
from stt_core.plugins import broken, get_provider, loaded, providers, register, registered, unregister
from stt_core.provider import ModelFamily, Provider

GOOD = """
    from typing import Annotated, TypedDict
    from stt_core.options import Doc
    from stt_core.registry import ModelFamily, Provider
    class Own(TypedDict, total=False):
        speed: Annotated[float, Doc("How fast.")]
    PROVIDER = Provider(
        name={name!r}, families=(ModelFamily(name="one", options=Own, models=("one-1",)),), client="x.stt:X"
    )
"""

Install = Callable[..., None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Installs a distribution with one entry point and one module into a folder that is on the path."""
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    modules: list[str] = []

    def run(name: str, source: str, *, module: str | None = None, attribute: str = "PROVIDER", dist: str = "") -> None:
        module = module or f"stt_plugin_{name}"
        modules.append(module)
        (tmp_path / f"{module}.py").write_text(textwrap.dedent(source.replace("{name!r}", repr(name))))
        info = tmp_path / f"{dist or module}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {dist or module}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[stt_core.providers]\n{name} = {module}:{attribute}\n")

    yield run
    monkeypatch.undo()
    for module in modules:
        sys.modules.pop(module, None)
    providers()


class Own(TypedDict, total=False):
    speed: Annotated[float, Doc("How fast.")]


def made_here(name: str) -> Provider:
    return Provider(name=name, families=(ModelFamily(name="one", options=Own),), client="x.stt:X")


def test_a_third_party_provider_is_found(install: Install) -> None:
    """A package with an entry point is there by name, without a word in this library."""
    install("acme", GOOD)
    assert get_provider("acme").families[0].models == ("one-1",)
    assert providers()["acme"] is get_provider("acme")
    assert "acme" not in broken()


def test_one_provider_is_loaded_without_the_others(install: Install) -> None:
    """Asking for a provider imports its package and no other plugin."""
    install("acme", GOOD)
    install("other", GOOD)
    get_provider("acme")
    assert "stt_plugin_acme" in sys.modules
    assert "stt_plugin_other" not in sys.modules
    assert "other" not in loaded()


@pytest.mark.parametrize(
    ("source", "attribute", "why"),
    [
        ("import stt_no_such_package", "PROVIDER", "raised ModuleNotFoundError: No module named 'stt_no_such_package'"),
        ("raise RuntimeError('no licence')", "PROVIDER", "raised RuntimeError: no licence"),
        ("import sys; sys.exit(3)", "PROVIDER", "raised SystemExit: 3"),
        ("def PROVIDER(: pass", "PROVIDER", "raised SyntaxError"),
        ("", "PROVIDER", "raised AttributeError"),
        ("PROVIDER = 'acme'", "PROVIDER", "is a str, not a stt_core.registry.Provider"),
        (GOOD.replace("{name!r}", "'another'"), "PROVIDER", "calls itself another"),
        (GOOD.replace('Annotated[float, Doc("How fast.")]', "float"), "PROVIDER", "Own.speed has no Doc"),
        (GOOD.replace("speed:", "proxy:"), "PROVIDER", "`proxy` of the family one is the framework's"),
    ],
)
def test_a_broken_plugin_is_reported_and_skipped(
    install: Install, caplog: pytest.LogCaptureFixture, source: str, attribute: str, why: str
) -> None:
    """Whatever is wrong with a plugin, the others work; it is logged once, listed, and named when it is asked for."""
    name = f"bad{abs(hash(why)) % 10**9}"  # each is logged once per process
    install(name, source, attribute=attribute)
    install("acme", GOOD)
    with caplog.at_level(logging.WARNING, "stt_core.registry"):
        assert "acme" in providers()
        assert name not in providers()
    assert why in broken()[name]
    assert [record.name for record in caplog.records if name in record.getMessage()] == ["stt_core.registry"]
    with pytest.raises(ConfigError, match=f"{name} is installed but broken") as caught:
        get_provider(name)
    assert why in str(caught.value)


def test_a_name_that_is_taken(install: Install) -> None:
    """The second plugin of a name is left out and listed beside the one that has it; ours come first."""
    install("acme", GOOD, module="stt_plugin_first", dist="a_first")
    install("acme", GOOD, module="stt_plugin_second", dist="b_second")
    install("pocketsphinx", GOOD, module="stt_plugin_thief", dist="a_thief")
    with_double = broken()
    assert providers()["acme"].name == "acme"
    assert with_double["acme (stt_plugin_second:PROVIDER)"] == "the name acme is taken by stt_plugin_first:PROVIDER"
    assert "pocketsphinx (stt_plugin_thief:PROVIDER)" in with_double


def test_a_plugin_installed_while_we_run_is_found(install: Install) -> None:
    """A name that was unknown a moment ago is looked for again."""
    with pytest.raises(ConfigError, match="no provider is called `acme`"):
        get_provider("acme")
    install("acme", GOOD)
    assert get_provider("acme").name == "acme"


def test_an_unknown_provider_names_the_nearest(install: Install) -> None:
    """The error has the installed names, broken or not, and the likeliest meant."""
    install("acme", GOOD)
    with pytest.raises(ConfigError) as caught:
        get_provider("acne")
    assert str(caught.value).startswith("no provider is called `acne`; installed are acme, ")
    assert str(caught.value).endswith("did you mean `acme`?")


def test_a_provider_registered_in_the_process() -> None:
    """It is there until it is unregistered, and for the length of a with block."""
    register(made_here("here"))
    try:
        assert get_provider("here") is providers()["here"]
    finally:
        unregister("here")
    with registered(made_here("here")) as provider:
        assert get_provider("here") is provider
    assert "here" not in providers()
    unregister("here")


def test_a_registered_name_is_not_taken_twice(install: Install) -> None:
    """Neither from a registered nor from an installed provider; a wrong declaration is not registered at all."""
    install("acme", GOOD)
    with registered(made_here("here")):
        for name in ("here", "acme"):
            with pytest.raises(ConfigError, match=f"a provider called {name} already"):
                register(made_here(name))
    with pytest.raises(ConfigError, match="lower case"):
        register(made_here("Here"))
    assert "Here" not in providers()


def test_importing_a_provider_package_is_light(install: Install, tmp_path: Path) -> None:
    """A declaration imports neither aiohttp, numpy, pydantic nor asyncio, and looks for no other plugin."""
    install("acme", GOOD)
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import stt_plugin_acme; "
        "stt_plugin_acme.PROVIDER.verify(); "
        "print(*{'aiohttp', 'numpy', 'soxr', 'pydantic', 'asyncio', 'importlib.metadata'} & sys.modules.keys())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
