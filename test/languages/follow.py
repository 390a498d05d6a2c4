"""Holds one allow, and says when it is void and why. Arguments: the transport, its address, a token, the request as JSON."""

import base64
import importlib
import json
import sys
import time

from follower import Follower, now_ms, unpadded


def padless(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


transport, address, token, request = sys.argv[1:]
service = importlib.import_module(f"over_{transport}").Service(address, token)
follower = Follower(service)
follower.start()
assert follower.ready.wait(20), "no lease"
beat = next(service.answers("Directives/List", {"instanceId": follower.instance}))
assert follower.read(beat)["epoch"] == beat["epoch"]
header, payload, signature = beat["signed"].split(".")
longer = unpadded(payload).replace(b'"leaseMs":', b'"leaseMs":9')
for part in (f"{header}.{padless(longer)}.{signature}", f"{padless(b'{}')}.{payload}.{signature}", payload):
    try:
        sys.exit(f"a beat that was changed counts: {follower.read(beat | {'signed': part})}")
    except ValueError:
        pass  # as it has to be
asked = json.loads(request) | {"instanceId": follower.instance}
allow = next(service.answers("Decisions/Authorize", asked)) | {"incarnation": follower.at[0]}
assert follower.void(allow) is None, follower.void(allow)
print(json.dumps({"instance": follower.instance, "decision": allow["decision"]}), flush=True)
while (why := follower.void(allow)) is None:
    time.sleep(0.01)
print(json.dumps({"void": why}), flush=True)
while now_ms() >= follower.ends:
    time.sleep(0.01)
print(json.dumps({"again": True}), flush=True)
sys.stdin.read()
