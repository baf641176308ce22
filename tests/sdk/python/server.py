"""The server under test, and clients of it."""

import asyncio
import functools
import inspect
import os
import urllib.error
import urllib.request

from svix.api import Svix, SvixAsync, SvixOptions

URL = os.environ["HOOKYARD_URL"]
KEY = os.environ["HOOKYARD_KEY"]

# The client that blocks, and the one that does not.
FLAVOURS = (Svix, SvixAsync)

flavour = Svix
called = set()
_loop = asyncio.new_event_loop()


def client(token=KEY):
    """A client of the flavour that is under test. It does not repeat what fails, so tests see the first answer."""
    return _Client(_client_of(flavour, token))


@functools.cache
def _client_of(kind, token):
    return kind(token, SvixOptions(server_url=URL, retry_schedule=[]))


class _Client:
    """An SDK's client that waits for every answer, and notes which of its methods were called."""

    def __init__(self, svix):
        self._svix = svix

    def __getattr__(self, resource):
        return _Resource(resource, getattr(self._svix, resource))


class _Resource:
    def __init__(self, name, resource):
        self._name = name
        self._resource = resource

    def __getattr__(self, method):
        call = getattr(self._resource, method)

        def noted(*arguments, **options):
            called.add(f"{self._name}.{method}")
            answer = call(*arguments, **options)
            return _loop.run_until_complete(answer) if inspect.isawaitable(answer) else answer

        return noted


def answer(method, path, body=None, token=KEY):
    """Status and body of a plain request: what the SDK does not show."""
    headers = {"authorization": f"Bearer {token}"} if token else {}
    if body is not None:
        headers["content-type"] = "application/json"
    request = urllib.request.Request(URL + path, data=body, method=method, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            return response.status, response.read()
    except urllib.error.HTTPError as refusal:
        with refusal:
            return refusal.code, refusal.read()
