"""Holds one allow, and says when it is void and why. Arguments: the transport, its address, a token, the request as JSON."""

import importlib
import json
import sys
import time

from follower import Follower

transport, address, token, request = sys.argv[1:]
service = importlib.import_module(f"over_{transport}").Service(address, token)
follower = Follower(service)
follower.start()
assert follower.ready.wait(20), "no lease"
beat = next(service.answers("Directives/List", {"instanceId": follower.instance}))
assert follower.read(beat)["epoch"] == beat["epoch"]
for changed in ({"signed": beat["signed"].replace(b'"leaseMs":', b'"leaseMs":9')}, {"kid": "other"}):
    try:
        sys.exit(f"a beat that was changed counts: {follower.read(beat | changed)}")
    except ValueError:
        pass  # as it has to be
asked = json.loads(request) | {"instanceId": follower.instance}
allow = next(service.answers("Decisions/Authorize", asked)) | {"incarnation": follower.at[0]}
assert follower.void(allow) is None, follower.void(allow)
print(json.dumps({"instance": follower.instance, "decision": allow["decision"]}), flush=True)
while (why := follower.void(allow)) is None:
    time.sleep(0.01)
print(json.dumps({"void": why}), flush=True)
sys.stdin.read()
