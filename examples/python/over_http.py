"""Asks Sallyport over HTTP."""

import json
import urllib.error
import urllib.request

from follower import ServiceError

ROUTES = {
    "Tasks/Open": "POST /v1/tasks",
    "Tasks/Close": "POST /v1/tasks/{taskId}/close",
    "Decisions/Authorize": "POST /v1/calls/authorize",
    "Decisions/ValidateResponse": "POST /v1/calls/{callId}/response",
    "Decisions/RecordOutcome": "POST /v1/calls/{callId}/outcome",
    "Directives/GetTerms": "GET /v1/directives/terms",
    "Directives/List": "GET /v1/directives?instanceId={instanceId}",
    "Directives/Acknowledge": "POST /v1/directives/acks",
    "Directives/Watch": "GET /v1/directives/watch?instanceId={instanceId}",
}


class Service:
    def __init__(self, url: str, token: str):
        self.url, self.headers = url, {"authorization": f"Bearer {token}", "content-type": "application/json"}

    def answers(self, rpc: str, request: dict, timeout: float = 5):
        """The answer, or each beat of a watch. A watch that is silent for the timeout has ended."""
        method, path = ROUTES[rpc].split(" ")
        body = {name: value for name, value in request.items() if f"{{{name}}}" not in path}
        data = json.dumps(body).encode() if method == "POST" else None
        asked = urllib.request.Request(self.url + path.format(**request), data, self.headers, method=method)
        try:
            with urllib.request.urlopen(asked, timeout=timeout) as answer:
                lines = [answer.read()] if rpc != "Directives/Watch" else (x[5:] for x in answer if x.startswith(b"data:"))
                for line in lines:
                    yield json.loads(line)
        except urllib.error.HTTPError as error:
            raise ServiceError(json.load(error)["code"]) from None
        except OSError as error:
            raise ServiceError(f"unreachable: {error}") from None
