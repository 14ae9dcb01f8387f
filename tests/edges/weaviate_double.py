"""A double of Weaviate on loopback: schema by HTTP, objects and searches by gRPC, by the protos of its client."""

from __future__ import annotations

import json
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import grpc
import numpy as np
from weaviate.proto.v1 import aggregate_pb2, batch_delete_pb2, batch_pb2, search_get_pb2, weaviate_pb2_grpc

VERSION = "1.32.0"
SERVING = b"\x08\x01"
"""HealthCheckResponse(status=SERVING)."""


class WeaviateDouble(weaviate_pb2_grpc.WeaviateServicer):
    """The server; ``failing`` are the codes of the next answers of gRPC."""

    def __init__(self, key: str) -> None:
        self.key, self.failing, self.seen, self.slow = key, [], [], 0.0
        self.classes: dict[str, dict[str, Any]] = {}
        self.objects: dict[str, dict[str, tuple[dict[str, Any], np.ndarray]]] = {}
        double = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_: Any) -> None: ...

            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                given = self.headers.get("authorization")
                status, told = double.rest(self.command, self.path, given, body)
                content = b"" if told is None else json.dumps(told).encode()
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = do_DELETE = answer

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        self.pool = ThreadPoolExecutor(4)
        self.rpc = grpc.server(self.pool)
        weaviate_pb2_grpc.add_WeaviateServicer_to_server(self, self.rpc)
        health = grpc.unary_unary_rpc_method_handler(lambda _request, _context: SERVING)
        self.rpc.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler("grpc.health.v1.Health", {"Check": health}),)
        )
        self.port = self.rpc.add_insecure_port("127.0.0.1:0")
        self.rpc.start()

    def close(self) -> None:
        self.rpc.stop(None).wait()
        self.server.shutdown()
        self.server.server_close()
        self.pool.shutdown()

    # ------------------------------------------------------------------------------------------------------ by HTTP

    def rest(self, method: str, path: str, given: str | None, body: bytes) -> tuple[int, Any]:
        self.seen.append((method, path))
        if path == "/v1/.well-known/openid-configuration":
            return 404, None
        if given != f"Bearer {self.key}":
            return 401, {"code": 401, "message": f"invalid api key {given}"}
        if path == "/v1/meta":
            return 200, {"hostname": self.url, "version": VERSION, "modules": {}, "grpcMaxMessageSize": 10485760}
        if (method, path) == ("POST", "/v1/schema"):
            made = json.loads(body)
            assert made["vectorConfig"]["default"]["vectorIndexConfig"]["distance"] == "cosine"
            self.classes[made["class"]], self.objects[made["class"]] = made, {}
            return 200, self.described(made)
        name = path.removeprefix("/v1/schema/")
        if name in self.classes:
            return 200, self.described(self.classes[name])
        return 404, {"error": [{"message": f"no such class {name}"}]}

    @staticmethod
    def described(made: dict[str, Any]) -> dict[str, Any]:
        """A class as the server gives it back, with its defaults."""
        vector = {
            "vectorizer": {"none": {}},
            "vectorIndexType": "hnsw",
            "vectorIndexConfig": {
                "skip": False,
                "cleanupIntervalSeconds": 300,
                "maxConnections": 32,
                "efConstruction": 128,
                "ef": -1,
                "dynamicEfMin": 100,
                "dynamicEfMax": 500,
                "dynamicEfFactor": 8,
                "vectorCacheMaxObjects": 1000000000000,
                "flatSearchCutoff": 40000,
                "distance": "cosine",
                "filterStrategy": "sweeping",
                "pq": {"enabled": False},
                "bq": {"enabled": False},
                "sq": {"enabled": False},
            },
        }
        properties = [
            {"indexFilterable": True, "indexSearchable": False, "indexRangeFilters": False, **each}
            for each in made.get("properties", [])
        ]
        return {
            "class": made["class"],
            "description": made.get("description", ""),
            "properties": properties,
            "vectorConfig": {"default": vector},
            "invertedIndexConfig": {
                "bm25": {"b": 0.75, "k1": 1.2},
                "cleanupIntervalSeconds": 60,
                "stopwords": {"preset": "en", "additions": None, "removals": None},
            },
            "multiTenancyConfig": {
                "enabled": False,
                "autoTenantActivation": False,
                "autoTenantCreation": False,
            },
            "replicationConfig": {"factor": 1, "asyncEnabled": False, "deletionStrategy": "NoAutomatedResolution"},
            "shardingConfig": {
                "virtualPerPhysical": 128,
                "desiredCount": 1,
                "actualCount": 1,
                "desiredVirtualCount": 128,
                "actualVirtualCount": 128,
                "key": "_id",
                "strategy": "hash",
                "function": "murmur3",
            },
        }

    # ------------------------------------------------------------------------------------------------------ by gRPC

    def _begin(self, context: Any) -> None:
        if dict(context.invocation_metadata()).get("authorization") != f"Bearer {self.key}":
            context.abort(grpc.StatusCode.UNAUTHENTICATED, "unauthorized")
        time.sleep(self.slow)
        if self.failing:
            context.abort(self.failing.pop(0), "as the test wants it")

    def BatchObjects(self, request: Any, context: Any) -> Any:
        self._begin(context)
        for each in request.objects:
            raw = each.vectors[0].vector_bytes if each.vectors else each.vector_bytes
            vector = np.frombuffer(raw, "<f4")
            properties = dict(each.properties.non_ref_properties)
            properties |= {list_.prop_name: list(list_.values) for list_ in each.properties.text_array_properties}
            # As the server does where the distance is the cosine.
            self.objects[each.collection][each.uuid] = (properties, vector / np.linalg.norm(vector))
        return batch_pb2.BatchObjectsReply(took=0.01)

    def BatchDelete(self, request: Any, context: Any) -> Any:
        self._begin(context)
        objects = self.objects[request.collection]
        found = [one for one, (properties, _) in objects.items() if _matches(one, properties, request.filters)]
        for one in found:
            del objects[one]
        return batch_delete_pb2.BatchDeleteReply(took=0.01, matches=len(found), successful=len(found))

    def Aggregate(self, request: Any, context: Any) -> Any:
        self._begin(context)
        count = len(self.objects[request.collection])
        single = aggregate_pb2.AggregateReply.Single(objects_count=count)
        return aggregate_pb2.AggregateReply(took=0.01, single_result=single)

    def Search(self, request: Any, context: Any) -> Any:
        self._begin(context)
        objects = self.objects[request.collection]
        found = [
            one
            for one in sorted(objects)
            if not request.HasField("filters") or _matches(one, objects[one][0], request.filters)
        ]
        distances: dict[str, float] = {}
        if request.HasField("near_vector"):
            near = request.near_vector
            raw = near.vectors[0].vector_bytes if near.vectors else near.vector_bytes
            raw = raw or next(iter(near.vector_for_targets)).vector_bytes
            query = np.frombuffer(raw, "<f4")
            distances = {one: float(1 - objects[one][1] @ query / np.linalg.norm(query)) for one in found}
            found.sort(key=lambda one: distances[one])
        elif request.after:
            found = [one for one in found if one > request.after]
        found = found[: request.limit or 10]
        results = [self.result(one, *objects[one], request, distances) for one in found]
        return search_get_pb2.SearchReply(took=0.01, results=results)

    def result(self, one: str, properties: Any, vector: np.ndarray, request: Any, distances: dict[str, float]) -> Any:
        reply = search_get_pb2.SearchResult()
        about = reply.metadata
        about.id, about.id_as_bytes = one, uuid.UUID(one).bytes
        if one in distances:
            about.distance, about.distance_present = distances[one], True
        if request.metadata.vector or request.metadata.vectors:
            added = about.vectors.add()
            added.name, added.vector_bytes, added.type = "default", vector.astype("<f4").tobytes(), 1
        asked = set(request.properties.non_ref_properties)
        fields = reply.properties.non_ref_props.fields
        for name, value in properties.items():
            if not request.properties.return_all_nonref_properties and name not in asked:
                continue
            if isinstance(value, bool):
                fields[name].bool_value = value
            elif isinstance(value, float):
                fields[name].number_value = value
            elif isinstance(value, str):
                fields[name].text_value = value
            else:
                fields[name].list_value.text_values.values.extend(value)
        return reply


def _matches(one: str, properties: dict[str, Any], wanted: Any) -> bool:
    kind = wanted.Operator.Name(wanted.operator).removeprefix("OPERATOR_")
    if kind in ("AND", "OR"):
        found = [_matches(one, properties, each) for each in wanted.filters]
        return all(found) if kind == "AND" else any(found)
    name = wanted.target.property or wanted.on[0]
    value = one if name == "_id" else properties.get(name)
    if value is None:
        return False
    test = getattr(wanted, wanted.WhichOneof("test_value"))
    operand = list(test.values) if hasattr(test, "values") else test
    if kind == "CONTAINS_ANY":
        return bool(set(value if isinstance(value, list) else [value]) & set(operand))
    # The server refuses a whole number for a property of numbers, and the other way round.
    assert type(value) is type(operand), f"{name}: {operand!r} is of another type than {value!r}"
    return {
        "EQUAL": lambda: value == operand,
        "GREATER_THAN": lambda: value > operand,
        "GREATER_THAN_EQUAL": lambda: value >= operand,
        "LESS_THAN": lambda: value < operand,
        "LESS_THAN_EQUAL": lambda: value <= operand,
    }[kind]()
