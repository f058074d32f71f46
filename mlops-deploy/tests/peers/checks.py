"""Runs the checks of a script, named `check_...`, against the server whose address is the first argument.

Further arguments name checks that are left out, as what they ask for is not there.
"""

import asyncio
import inspect
import sys
import time

ADDRESS, *WITHOUT = sys.argv[1:]


def main() -> None:
    script = sys.modules["__main__"]
    named = {name: check for name, check in vars(script).items() if name.startswith("check_")}
    for name in WITHOUT:
        del named[f"check_{name}"]
    checks = list(named.values())
    for check in checks:
        begun = time.monotonic()
        if inspect.iscoroutinefunction(check):
            asyncio.run(check())
        else:
            check()
        name = check.__name__.removeprefix("check_").replace("_", " ")
        print(f"  ok {1000 * (time.monotonic() - begun):7.1f} ms  {name}")
    print(f"{len(checks)} checks passed: {script.__doc__.splitlines()[0]}")


def fails(call, kind: type[Exception], *words: str) -> Exception:
    """Expects an error of this kind, whose text has these words."""
    try:
        answer = call()
    except kind as error:
        missing = [word for word in words if word not in str(error)]
        assert not missing, f"{missing} not in: {error}"
        return error
    raise AssertionError(f"no {kind.__name__} but {answer!r}")
