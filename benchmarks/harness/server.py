"""The process at the other end: WebSockets and files, told on standard input what to do."""

from __future__ import annotations

import asyncio
import gc
import json
import resource
import sys

from files import Files
from sockets import Server


async def main() -> None:
    server, files, hole = Server(), Files(), Server()
    await server.listen()
    await files.listen()
    await hole.listen()
    hole.expect({"hole": True})
    loop = asyncio.get_running_loop()
    lines = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    ports = {"sockets": server.port, "files": files.port, "hole": hole.port}
    print(json.dumps(ports), flush=True)
    while line := await lines.readline():
        job = json.loads(line)
        if "plan" in job:
            server.expect(job["plan"])
            files.reset()
            gc.collect()
            print("{}", flush=True)
        else:
            print(json.dumps({**server.counts.told(), **files.told()}), flush=True)


if __name__ == "__main__":
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    asyncio.run(main())
