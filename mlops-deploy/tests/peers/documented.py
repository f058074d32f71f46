"""Runs each block of Python in docs/serving.md as it stands there, but for the address."""

import pathlib
import re
import subprocess
import sys

import checks

DOCUMENT = pathlib.Path(__file__).parents[3] / "docs" / "serving.md"


def check_each_block_answers():
    _, port = checks.ADDRESS.split(":")
    blocks = re.findall(r"^```python\n(.*?)^```", DOCUMENT.read_text(), re.DOTALL | re.MULTILINE)
    assert len(blocks) == 3, len(blocks)
    # The document says that the calls are the same over gRPC.
    blocks.append(blocks[0].replace("tritonclient.http as", "tritonclient.grpc as"))
    for block in blocks:
        block = block.replace("127.0.0.1:8080", checks.ADDRESS).replace("8080", port)
        # In a process of its own: two of the clients can't be imported into one.
        ran = subprocess.run([sys.executable, "-c", block], capture_output=True, text=True)
        # The class of the one flower.
        assert ran.returncode == 0 and re.search(r"\b0\b", ran.stdout), ran.stderr[-2000:]


checks.main()
