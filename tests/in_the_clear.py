"""Requests to what is served without TLS. For each client httpx reads all of the world's authorities, for 30 ms."""

import ssl
from functools import partial

import httpx

IN_THE_CLEAR = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""Knows no authority, and asks none: for clients that make more than one request."""

get = partial(httpx.get, verify=IN_THE_CLEAR)
post = partial(httpx.post, verify=IN_THE_CLEAR)
request = partial(httpx.request, verify=IN_THE_CLEAR)
