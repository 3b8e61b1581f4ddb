"""What the fuzzer cannot know from the specification, because a schema cannot say it."""

import hashlib
import hmac
import json
import os
from datetime import datetime, timedelta, timezone

import requests
import schemathesis


class Signed(requests.auth.AuthBase):
    """GitHub's signature, over the very bytes that are sent."""

    def __call__(self, request):
        body = request.body or b""
        body = body.encode() if isinstance(body, str) else body
        mac = hmac.new(os.environ["GITHUB_SECRET"].encode(), body, hashlib.sha256)
        request.headers["x-hub-signature-256"] = "sha256=" + mac.hexdigest()
        return request


@schemathesis.hook
def filter_case(context, case):
    """An empty parameter counts as absent: a form's field that nobody has filled in. So do lists and objects of nothing, which
    travel as an empty one."""
    return not (isinstance(case.query, dict) and any(value in ("", None, [], {}) for value in case.query.values()))


def align(case):
    """Brings what has to be accepted in line with what only sentences say. What has to be refused stays as it is."""
    if is_negative(case):
        return
    if isinstance(case.path_parameters, dict) and "id" in case.path_parameters:
        case.path_parameters["id"] = os.environ["EVENT"]
    if isinstance(case.query, dict):
        own_cursor_only(case.query)
        in_order(case.query)
    if case.path == "/github":
        # A form holds GitHub's JSON, and any JSON is a delivery.
        if isinstance(case.body, dict) and case.media_type == "application/x-www-form-urlencoded":
            case.body = {"payload": json.dumps({"zen": case.body.get("payload")})}
    elif isinstance(case.body, dict):
        body = case.body
        if case.path == "/v1/replays":
            own_cursor_only(body)
            in_order(body)
            if (body.get("filter") or {}).get("status"):
                body["force"] = True
        # One that was minted in the future is refused.
        body.pop("replay", None)
        if "statuses" in body:
            # With the key the commit has to be named, and once.
            body.pop("pull_request_url", None)
            body["repository"] = body.get("repository") or "octo-org/hello"
            body["sha"] = body.get("sha") or "9fceb02d0ae598e95dc970b74767f19372d61af8"
            for status in body["statuses"]:
                status.pop("description", None)
                if status.get("target_url"):
                    status["target_url"] = "https://ci.example/7"


@schemathesis.hook
def before_call(context, case, kwargs):
    """Deliveries are signed, unless what is tried is one that is not."""
    align(case)
    if case.path == "/github" and not is_negative(case):
        kwargs["auth"] = Signed()


def is_negative(case):
    """Whether it was made to be refused."""
    return case.meta is not None and case.meta.generation.mode.is_negative


def own_cursor_only(given):
    """A cursor comes from an answer; an invented one is refused."""
    given.pop("cursor", None)


def in_order(given):
    """A range begins before it ends, and in the past."""
    if given.get("since") is None:
        return
    given.pop("until", None)
    try:
        since = datetime.fromisoformat(given["since"].upper().replace("Z", "+00:00"))
        early = since < datetime.now(timezone.utc) - timedelta(minutes=1)
    except (ValueError, TypeError, OverflowError):
        early = False
    if not early:
        del given["since"]
