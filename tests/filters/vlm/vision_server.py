"""A small server of OpenAI's chat completions that answers questions about pictures by script."""

from __future__ import annotations

import base64
import http.server
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Videos = list[list[NDArray[np.uint8]]]
"""The pictures of each video, RGB, in the order in which they were sent."""

Script = Callable[[str, Videos], str]
"""What is answered to the last text of a request and its videos."""


@contextmanager
def vision_server(script: Script) -> Iterator[str]:
    """Its address, ending in /v1, while it runs."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:  # /models
            self._send({"data": [{"id": "scripted", "object": "model", "root": "scripted-1"}]})

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            text, videos = _asked(body["messages"][-1]["content"])
            choice = {
                "index": 0,
                "finish_reason": "stop",
                "message": {"role": "assistant", "content": script(text, videos)},
            }
            about = {"id": "1", "object": "chat.completion", "created": 1, "model": body["model"]}
            usage = {"prompt_tokens": 9, "completion_tokens": 9, "total_tokens": 18}
            self._send({**about, "choices": [choice], "usage": usage})

        def _send(self, document: dict[str, Any]) -> None:
            data = json.dumps(document).encode()
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/v1"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _asked(content: list[dict[str, Any]]) -> tuple[str, Videos]:
    videos: Videos = []
    text = ""
    for part in content:
        if part["type"] == "image_url":
            data = base64.b64decode(part["image_url"]["url"].partition(",")[2])
            picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)
            videos[-1].append(picture)
        elif part["text"].startswith("Video "):  # what OpenAIVisionChat puts before each
            videos.append([])
        else:
            text = part["text"]
    return text, videos
