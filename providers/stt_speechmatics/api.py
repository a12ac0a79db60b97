"""Signed requests to Speechmatics: which host, which key, how long."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, cast
from urllib.parse import urlsplit

from stt_core.errors import AuthenticationError, ConfigError, ProtocolError

from .keys import TemporaryKeys
from .options import DEFAULT_TTL, FOR_JWT
from .reading import parse, text_of
from .wire import API_KEYS_PATH, BASE_URL, KEY_TYPE, MANAGEMENT_URL, region_url

if TYPE_CHECKING:
    from collections.abc import Callable

    from stt_core.credentials import Credentials
    from stt_core.registry import Resolved
    from stt_core.transport.http import FormPart, HttpClient, HttpResponse

    from .wire import KeyRequest, Region

__all__ = ["Api", "is_on_prem"]

REQUEST_SECONDS = 300.0
"""What a request may take by the vendor's own client. Uploads get more, by their size."""

QUESTION_SECONDS = 30.0
"""What asking after a job may take. The vendor's client would wait for a server that is gone as for any other answer,
and whoever waits for the job with it."""

MAX_RESULT = 256 << 20
"""Bytes of an answer; the transcript of a day has about 50 million."""

MAX_USERS = 1000
"""End users (``client_ref``) whose temporary keys are kept."""


def is_on_prem(settings: Resolved) -> bool:
    """Whether the server is a container of the caller's own, which knows less."""
    return bool(settings.options.get("on_prem"))


class Api:
    """The API, for one account.

    Args:
        http: what makes the requests; asked for at the first one.
        credentials: the account's.
    """

    def __init__(self, http: Callable[[], HttpClient], credentials: Credentials) -> None:
        self._http = http
        self._credentials = credentials
        self._keys: dict[tuple[str, int, str | None], TemporaryKeys] = {}

    def check(self, settings: Resolved) -> None:
        """Whether the settings go with the credentials.

        Raises:
            ConfigError: they do not, or there are none where some are needed.
        """
        jwt = self._credentials.mode == "jwt"
        for name in FOR_JWT:
            if name in settings.options and not jwt:
                raise ConfigError(
                    f"speechmatics: `{name}` is about temporary keys: ask for them with auth='jwt'",
                    provider="speechmatics",
                )
        if settings.options.get("region") and settings.stt["base_url"]:
            raise ConfigError(
                "speechmatics: `region` and `base_url` both say where the API is: give one of them",
                provider="speechmatics",
            )
        wait, patience = cast("int", settings.options.get("wait", 0)), settings.stt["request_timeout"]
        if patience is not None and wait >= patience:
            raise ConfigError(
                f"speechmatics: `wait` is {wait} s, and `request_timeout` gives up after {patience:g} s",
                provider="speechmatics",
            )
        self.url("", settings)
        if not (is_on_prem(settings) or self._credentials.has("api_key") or self._credentials.has("auth")):
            raise ConfigError(
                "speechmatics: there is no api_key: set SPEECHMATICS_API_KEY or pass api_key=; "
                "only a container of one's own (on_prem) takes requests without one",
                provider="speechmatics",
            )

    def url(self, path: str, settings: Resolved) -> str:
        """Of a path below the base URL; without ``/v2`` in a base URL that has no path, it is added.

        Raises:
            ConfigError: the environment's is none, or a container's is not given.
        """
        region = cast("Region | None", settings.options.get("region"))
        given = region_url(region) if region else settings.stt["base_url"]
        default = None if is_on_prem(settings) else BASE_URL
        base = self._credentials.url("base_url", given=given, default=default).rstrip("/")
        scheme, _, rest = base.partition("://")
        if "/" not in rest:
            rest += "/v2"
        return f"{ {'ws': 'http', 'wss': 'https'}.get(scheme, scheme) }://{rest}{path}"

    async def headers(self, settings: Resolved) -> Mapping[str, str]:
        """What signs a request.

        Raises:
            STTError: there is no key to be had.
        """
        if self._credentials.mode == "jwt":
            return {"Authorization": f"Bearer {await self._temporary(settings).get()}"}
        if self._credentials.has("auth") or self._credentials.has("api_key"):
            return {"Authorization": f"Bearer {await self._credentials.auth()}"}
        return {}

    async def request(
        self,
        method: str,
        path: str,
        settings: Resolved,
        *,
        params: Sequence[tuple[str, str]] = (),
        headers: Mapping[str, str] | None = None,
        form: Sequence[FormPart] | None = None,
        seconds: float | None = REQUEST_SECONDS,
        retry: bool = False,
        again: bool = True,
    ) -> HttpResponse:
        """Makes one request, and a second one with a new key where a temporary one was refused.

        Args:
            method: of HTTP.
            path: below the base URL.
            settings: of the call.
            params: the query.
            headers: beside those that sign it.
            form: the body.
            seconds: what it may take, unless ``request_timeout`` says otherwise; ``None`` for no limit.
            retry: also after failures.
            again: whether the body can be sent twice.

        Raises:
            STTError: as :meth:`stt_core.transport.http.HttpClient.request`.
        """
        jwt = self._credentials.mode == "jwt"
        for last in (not (jwt and again), True):
            key_number = self._temporary(settings).number if jwt else 0
            try:
                # No local name for the headers: error trackers send those of frames home.
                return await self._http().request(
                    method,
                    self.url(path, settings),
                    headers={**(headers or {}), **await self.headers(settings)},
                    params=params,
                    form=form,
                    timeout=settings.stt["request_timeout"] or seconds,
                    retry=retry,
                    max_body=MAX_RESULT,
                )
            except AuthenticationError:
                if last:
                    raise
            self._temporary(settings).drop(key_number)
        raise AssertionError  # the last attempt has returned or raised

    async def aclose(self) -> None:
        """Stops asking for keys."""
        for keys in self._keys.values():
            await keys.aclose()

    def _temporary(self, settings: Resolved) -> TemporaryKeys:
        ttl = cast("int", settings.options.get("ttl", DEFAULT_TTL))
        client_ref = cast("str | None", settings.options.get("client_ref"))
        key = (self._management_url(settings), ttl, client_ref)
        if key not in self._keys:
            if len(self._keys) >= MAX_USERS:
                del self._keys[next(iter(self._keys))]
            request: KeyRequest = {"ttl": ttl}
            if client_ref is not None:
                request["client_ref"] = client_ref
            self._keys[key] = TemporaryKeys(lambda: self._mint(settings, request), ttl)
        return self._keys[key]

    async def _mint(self, settings: Resolved, request: KeyRequest) -> str:
        response = await self._http().request(
            "POST",
            self._management_url(settings) + API_KEYS_PATH,
            headers={"Authorization": f"Bearer {await self._credentials.api_key()}"},
            params=[("type", KEY_TYPE)],
            json=request,
            timeout=10.0,
        )
        key = text_of(parse(response.body), "key_value")
        if not key:
            raise ProtocolError(
                "Speechmatics answered without a temporary key", provider="speechmatics", retryable=False
            )
        return key

    def _management_url(self, settings: Resolved) -> str:
        """Where keys are minted: what is said, else the vendor's, but for other hosts their own."""
        base = self.url("", settings)
        host = urlsplit(base).hostname or ""
        # The key of somebody's own gateway is not to be sent to the vendor.
        own = not (host == "speechmatics.com" or host.endswith(".speechmatics.com"))
        default = f"{base.removesuffix('/v2')}" if own else MANAGEMENT_URL
        given = cast("str | None", settings.options.get("mp_url"))
        # The vendor's client takes it without /v1; it is easily given with it.
        return self._credentials.url("token_url", given=given, default=default).rstrip("/").removesuffix("/v1") + "/v1"
