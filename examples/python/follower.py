"""Follows the directives: what is stopped, and for how long this host may go on without news."""

import base64
import hashlib
import json
import threading
import time
import uuid
from datetime import datetime, timezone

import rfc8785
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


class ServiceError(Exception):
    """The service gave no answer; its text begins with the problem code."""


def digest(value) -> str:
    """SHA-256 over the RFC 8785 text."""
    return "sha256:" + hashlib.sha256(rfc8785.dumps(value)).hexdigest()


def unpadded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def now_ms() -> float:
    """A clock that nobody sets. On Linux it also goes on while the machine sleeps."""
    return 1000 * time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


def ms_of(time_text: str) -> float:
    return 1000 * datetime.fromisoformat(time_text.replace("Z", "+00:00")).timestamp()


def target_key(target: dict) -> str:
    """As `targets` of an allow have it: `all`, `capability:memory`, `version:memory@1.0.0`, `operation:memory/read`."""
    values = [value for name, value in sorted(target.items()) if name != "type"]
    return ":".join([target["type"], *filter(None, ["@".join(values) if target["type"] == "version" else "/".join(values)])])


class Follower(threading.Thread):
    def __init__(self, service):
        super().__init__(daemon=True)
        self.service, self.instance, self.lock = service, str(uuid.uuid4()), threading.RLock()
        self.closed, self.ready = threading.Event(), threading.Event()
        terms = next(service.answers("Directives/GetTerms", {}))
        self.keys = {key["kid"]: Ed25519PublicKey.from_public_bytes(unpadded(key["x"])) for key in terms["keys"]}
        self.lease_ms = terms["leaseMs"]
        # (incarnation, epoch) that this host knows, and the latest that it has heard of.
        self.at = self.heard = (-1, -1)
        self.since, self.issued = 0, {}  # epoch of the latest directive by its target, complete since an epoch
        self.ends = self.newest = float("-inf")
        self.offset = 0.0  # the service's clock less ours, or more

    def void(self, allow: dict) -> str | None:
        """Why an allow may not be used; None if it may. Ask right before the request leaves, and while it runs."""
        with self.lock:
            if now_ms() >= self.ends or self.heard > self.at or self.at[0] != allow["incarnation"]:
                return "host_stale"
            if allow["epoch"] < self.since or any(self.issued.get(key, 0) > allow["epoch"] for key in allow["targets"]):
                return "disabled"
            return "expired" if now_ms() + self.offset >= ms_of(allow["expiresAt"]) else None

    def run(self):
        while not self.closed.is_set():
            try:
                self.measure()
                for beat in self.service.answers("Directives/Watch", {"instanceId": self.instance}, timeout=3):
                    content = self.read(beat)
                    with self.lock:
                        self.heard = max(self.heard, (content.get("incarnation", 0), content["epoch"]))
                    if self.heard > self.at or self.ends - now_ms() < self.lease_ms / 2:
                        self.measure()
            except (ServiceError, ValueError, KeyError):
                self.closed.wait(0.2)

    def measure(self):
        """A round trip. Pushed beats may have waited on the way: only an answer to our own question gives a lease."""
        sent = now_ms()
        beat = self.read(next(self.service.answers("Directives/List", {"instanceId": self.instance})))
        of, issued = (beat.get("incarnation", 0), beat["epoch"]), ms_of(beat["issuedAt"])
        active = [{name: each[name] for name in ("id", "target", "epoch")} for each in beat["active"]]
        active.sort(key=lambda each: each["id"])
        if digest(active) != beat["stateRoot"] or of < self.at or issued <= self.newest:
            raise ValueError("an answer that is old, or does not fit its root")
        with self.lock:
            # A snapshot does not name directives that were issued and lifted before it: earlier allows are void.
            follows = of[0] == self.at[0] and of[1] <= self.at[1] + 1
            self.since = self.since if follows else of[1]
            self.issued = self.issued if follows else {}
            for each in active:
                key = target_key(each["target"])
                self.issued[key] = max(each["epoch"], self.issued.get(key, 0))
            self.at, self.heard, self.newest = of, max(of, self.heard), issued
            self.offset, self.ends = issued - sent, sent + beat["leaseMs"]
        self.acknowledge(beat, active)
        self.ready.set()

    def acknowledge(self, beat: dict, active: list):
        at = datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        ack = {"instanceId": self.instance, "epoch": beat["epoch"], "stateRoot": digest(active), "appliedAt": at}
        if "nonce" in beat:
            proof = digest({"active": active, "instanceId": self.instance, "nonce": beat["nonce"]})
            ack |= {"nonce": beat["nonce"], "proof": proof}
        next(self.service.answers("Directives/Acknowledge", ack))

    def read(self, beat: dict) -> dict:
        """The content of a beat, from the signed bytes alone. Raises if no key of the feed signed it."""
        header, payload, signature = beat["signed"].split(".")  # a JWS, RFC 7515
        head = json.loads(unpadded(header))
        try:
            self.keys[head["kid"]].verify(unpadded(signature), f"{header}.{payload}".encode())
        except Exception:
            raise ValueError("a beat that nobody signed") from None
        if head["alg"] != "EdDSA":
            raise ValueError("a beat that is signed in another way")
        return json.loads(unpadded(payload))
