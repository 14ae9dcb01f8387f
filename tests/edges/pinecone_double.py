"""A double of Pinecone on loopback that answers by the version of the API, keeps its limits, and is a little late."""

from __future__ import annotations

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np

VERSIONS = ("2025-04", "2025-10", "2026-07")


class PineconeDouble:
    """The server; ``failing`` are the statuses of the next answers, and ``late`` the seconds until a write is seen."""

    def __init__(self, key: str, late: float = 0.1) -> None:
        self.key = key
        self.late, self.failing, self.seen, self.sleep = late, [], [], 0.0
        self.indexes: dict[str, dict[str, Any]] = {}
        self.log: list[tuple[float, str, str, str, dict[str, Any] | None]] = []
        self._lock = threading.Lock()
        double = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_: Any) -> None: ...

            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                time.sleep(double.sleep)
                try:
                    with double._lock:
                        status, told = double.answer(self.command, self.path, self.headers, body)
                except AssertionError as refused:
                    status, told = 400, {"code": 3, "message": str(refused), "details": []}
                content = json.dumps(told).encode()
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = do_DELETE = answer

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self._thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def answer(self, method: str, path: str, headers: Any, body: bytes) -> tuple[int, Any]:
        version = headers.get("X-Pinecone-API-Version")
        self.seen.append((method, path, version, len(body)))
        assert version in VERSIONS, f"no such version of the API: {version}"
        if headers.get("Api-Key") != self.key:
            return 401, _error("UNAUTHENTICATED", f"Invalid API key {headers.get('Api-Key')}")
        if self.failing:
            return self.failing.pop(0), _error("RESOURCE_EXHAUSTED", "too many requests")
        parts = urlsplit(path)
        told = json.loads(body) if body else {}
        if parts.path.startswith("/i/"):
            name, _, rest = parts.path[3:].partition("/")
            return self.data(name, f"/{rest}", parse_qs(parts.query), told, len(body))
        return self.control(method, parts.path, version, told)

    def control(self, method: str, path: str, version: str, told: dict[str, Any]) -> tuple[int, Any]:
        if (method, path) == ("POST", "/indexes"):
            if version == "2026-07":
                dense = told["schema"]["fields"]["_values"]
                assert dense["type"] == "dense_vector" and told["deployment"]["deployment_type"] == "managed"
                about = {"name": told["name"], "dimension": dense["dimension"], "metric": dense["metric"]}
            else:
                assert told["spec"]["serverless"] == {"cloud": "aws", "region": "us-east-1"}
                about = {name: told[name] for name in ("name", "dimension", "metric")}
            if len(self.indexes) >= 5:
                return 403, _error("FORBIDDEN", "You've reached the max serverless indexes")
            self.indexes[about["name"]] = about
            return 201, self.index(about, version)
        name = path.removeprefix("/indexes/")
        if name not in self.indexes:
            return 404, _error("NOT_FOUND", f"Resource {name} not found")
        return 200, self.index(self.indexes[name], version)

    def index(self, about: dict[str, Any], version: str) -> dict[str, Any]:
        shared = {
            "name": about["name"],
            "host": f"{self.url}/i/{about['name']}",
            "status": {"ready": True, "state": "Ready"},
            "deletion_protection": "disabled",
        }
        if version == "2026-07":
            field = {"type": "dense_vector", "dimension": about["dimension"], "metric": about["metric"]}
            place = {"deployment_type": "managed", "cloud": "aws", "region": "us-east-1", "environment": "x"}
            return shared | {"schema": {"fields": {"_values": field}}, "deployment": place}
        spec = {"serverless": {"cloud": "aws", "region": "us-east-1"}}
        rest = {"dimension": about["dimension"], "metric": about["metric"], "vector_type": "dense", "spec": spec}
        return shared | rest

    # ------------------------------------------------------------------------------------------------------ the data

    def records(self, index: str, namespace: str) -> dict[str, dict[str, Any]]:
        """What can be seen by now."""
        now, found = time.monotonic(), {}
        for at, where, space, one, record in self.log:
            if at + self.late <= now and (where, space) == (index, namespace):
                found.pop(one, None)
                if record is not None:
                    found[one] = record
        return found

    def data(self, index: str, path: str, query: dict[str, list[str]], told: Any, size: int) -> tuple[int, Any]:
        space = told.get("namespace") or query.get("namespace", [""])[0]
        seen = self.records(index, space)
        dimension = self.indexes[index]["dimension"]
        if path == "/vectors/upsert":
            assert size <= 2 * 1024 * 1024 and 1 <= len(told["vectors"]) <= 1000, "the request is too large"
            for record in told["vectors"]:
                assert record["id"].isascii() and len(record["id"]) <= 512, "the id is no ASCII, or too long"
                assert len(record["values"]) == dimension and any(record["values"]), "the vector does not fit"
                metadata = record.get("metadata", {})
                assert len(json.dumps(metadata)) <= 40 * 1024, "the metadata are too large"
                for name, value in metadata.items():
                    several = isinstance(value, list) and all(isinstance(each, str) for each in value)
                    assert not name.startswith("$") and (several or isinstance(value, str | bool | int | float))
                self.log.append((time.monotonic(), index, space, record["id"], record))
            return 200, {"upsertedCount": len(told["vectors"])}
        if path == "/vectors/delete":
            assert 1 <= len(told["ids"]) <= 1000
            self.log += [(time.monotonic(), index, space, one, None) for one in told["ids"]]
            return 200, {}
        if path == "/vectors/fetch":
            assert len(query["ids"]) <= 1000
            found = {one: seen[one] for one in query["ids"] if one in seen}
            return 200, {"vectors": found, "namespace": space, "usage": {"readUnits": 1}}
        if path == "/vectors/list":
            limit, start = int(query.get("limit", ["100"])[0]), int(query.get("paginationToken", ["0"])[0])
            assert limit <= 100
            names = sorted(seen)[start : start + limit]
            more = {"pagination": {"next": str(start + limit)}} if start + limit < len(seen) else {}
            return 200, {
                "vectors": [{"id": one} for one in names],
                "namespace": space,
                "usage": {"readUnits": 1},
            } | more
        if path == "/describe_index_stats":
            spaces = {where for _, name, where, _, _ in self.log if name == index}
            counts = {each: {"vectorCount": len(self.records(index, each))} for each in spaces}
            counts = {each: count for each, count in counts.items() if count["vectorCount"]}
            total = sum(count["vectorCount"] for count in counts.values())
            return 200, {"namespaces": counts, "dimension": dimension, "indexFullness": 0, "totalVectorCount": total}
        assert path == "/query", f"no such path: {path}"
        assert 1 <= told["topK"] <= 10_000 and len(told["vector"]) == dimension
        kept = [one for one, record in seen.items() if _matches(record.get("metadata", {}), told.get("filter", {}))]
        table = np.array([seen[one]["values"] for one in kept], float).reshape(len(kept), dimension)
        query_vector = np.array(told["vector"])
        lengths = np.linalg.norm(table, axis=1) * np.linalg.norm(query_vector)
        scores = table @ query_vector / lengths
        order = np.argsort(-scores, kind="stable")[: told["topK"]]
        matches = [{"id": kept[at], "score": float(scores[at])} for at in order]
        return 200, {"matches": matches, "namespace": space, "usage": {"readUnits": 1}}


def _error(code: str, message: str) -> dict[str, Any]:
    return {"status": 400, "error": {"code": code, "message": message}}


def _matches(metadata: dict[str, Any], wanted: dict[str, Any]) -> bool:
    """As Pinecone describes its filters: a field that is missing matches nothing, a list where one element does."""
    for name, condition in wanted.items():
        if name == "$and":
            if not all(_matches(metadata, each) for each in condition):
                return False
            continue
        value = metadata.get(name)
        values = value if isinstance(value, list) else [value]
        for operator, operand in condition.items():
            tests = {
                "$eq": lambda x, y: (type(x) is type(y) and x == y) or (_numbers(x, y) and x == y),
                "$in": lambda x, y: x in y,
                "$gt": lambda x, y: _numbers(x, y) and x > y,
                "$gte": lambda x, y: _numbers(x, y) and x >= y,
                "$lt": lambda x, y: _numbers(x, y) and x < y,
                "$lte": lambda x, y: _numbers(x, y) and x <= y,
            }
            if not any(each is not None and tests[operator](each, operand) for each in values):
                return False
    return True


def _numbers(*values: Any) -> bool:
    return all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)
