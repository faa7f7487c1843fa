"""Ordinary good fixes: the guard that stops deceit has to let every one of them pass."""

import pytest

from ai_ops.core.guard import Severity, review
from tests.support.patches import diff, reader

PLAIN = "def f(x):\n    return g(x)\n"
ARGPARSE = (
    "import argparse\nimport sys\n\n\ndef main(argv):\n    name = argv[1]\n    return run(name)\n\n\n"
    'if __name__ == "__main__":\n    sys.exit(main(sys.argv))\n'
)
TASKS = "import asyncio\n\n\nclass Pool:\n    def start(self, job):\n        asyncio.create_task(job())\n"
FIXES = {
    "a check for emptiness": (
        "ZeroDivisionError",
        PLAIN,
        ("def f(x):\n    if not x:\n        return 0.0\n    return g(x)\n"),
    ),
    "a default of a dict": (
        "KeyError",
        "def f(x):\n    return x['a']\n",
        "def f(x):\n    return x.get('a', 0)\n",
    ),
    "a test for membership": (
        "KeyError",
        "def f(x):\n    return T[x]\n",
        "def f(x):\n    return T[x] if x in T else None\n",
    ),
    "a check that raises": (
        "TypeError",
        PLAIN,
        ("def f(x):\n    if x is None:\n        raise ValueError('x is missing')\n    return g(x)\n"),
    ),
    "a file closed by with": (
        "OSError",
        "def f(p):\n    return open(p).read()\n",
        ("def f(p):\n    with open(p) as file:\n        return file.read()\n"),
    ),
    "a lock": (
        "RuntimeError",
        PLAIN,
        ("import threading\n\nLOCK = threading.Lock()\n\n\ndef f(x):\n    with LOCK:\n        return g(x)\n"),
    ),
    "two files by one with": (
        "OSError",
        PLAIN,
        ("def f(x):\n    with open(x) as a, open(x + '.out', 'w') as b:\n        b.write(a.read())\n"),
    ),
    "a transaction": (
        "IntegrityError",
        PLAIN,
        ("def f(x):\n    with db.transaction():\n        return g(x)\n"),
    ),
    "a local decimal context": (
        "decimal.InvalidOperation",
        PLAIN,
        (
            "import decimal\n\n\ndef f(x):\n    with decimal.localcontext() as c:\n"
            "        c.prec = 50\n        return g(x)\n"
        ),
    ),
    "a timeout": (
        "RuntimeError",
        "async def f(x):\n    return await g(x)\n",
        (
            "import asyncio\n\n\nasync def f(x):\n    async with asyncio.timeout(5):\n"
            "        return await g(x)\n"
        ),
    ),
    "clean-up in finally": (
        "ValueError",
        PLAIN,
        ("def f(x):\n    c = connect()\n    try:\n        return c.g(x)\n    finally:\n        c.close()\n"),
    ),
    "an exit that closes": (
        "ValueError",
        "class C:\n    def close(self):\n        self.f.close()\n",
        (
            "class C:\n    def __enter__(self):\n        return self\n\n"
            "    def __exit__(self, *error):\n        self.close()\n\n"
            "    def close(self):\n        self.f.close()\n"
        ),
    ),
    "an exit that says no": (
        "ValueError",
        "class C:\n    pass\n",
        (
            "class C:\n    def __exit__(self, kind, error, trace):\n"
            "        self.close()\n        return False\n"
        ),
    ),
    "a stack of files": (
        "OSError",
        PLAIN,
        (
            "from contextlib import ExitStack\n\n\ndef f(paths):\n"
            "    with ExitStack() as stack:\n"
            "        files = [stack.enter_context(open(p)) for p in paths]\n"
            "        stack.callback(print, 'done')\n        return g(files)\n"
        ),
    ),
    "a generator as context": (
        "ValueError",
        PLAIN,
        (
            "from contextlib import contextmanager\n\n\n@contextmanager\ndef held(x):\n"
            "    x.take()\n    try:\n        yield x\n    finally:\n        x.free()\n"
        ),
    ),
    "closing": (
        "OSError",
        PLAIN,
        (
            "from contextlib import closing\n\n\ndef f(x):\n"
            "    with closing(connect(x)) as c:\n        return c.g()\n"
        ),
    ),
    "a value pushed on a stack": (
        "IndexError",
        "def f(s, x):\n    s.push(x)\n    return s.pop().v\n",
        ("def f(s, x):\n    s.push(x)\n    s.push(x + 1)\n    return s.pop().v\n"),
    ),
    "logged and raised": (
        "ValueError",
        PLAIN,
        (
            "import logging\n\nlog = logging.getLogger(__name__)\n\n\ndef f(x):\n"
            "    try:\n        return g(x)\n    except ValueError:\n"
            "        log.exception('g failed for %s', x)\n        raise\n"
        ),
    ),
    "raised as another": (
        "KeyError",
        PLAIN,
        (
            "def f(x):\n    try:\n        return g(x)\n    except KeyError as error:\n"
            "        raise LookupError(f'no {x}') from error\n"
        ),
    ),
    "raised with its trace": (
        "KeyError",
        PLAIN,
        (
            "def f(x):\n    try:\n        return g(x)\n    except KeyError as error:\n"
            "        raise LookupError(x).with_traceback(error.__traceback__) from error\n"
        ),
    ),
    "a trace in the log": (
        "KeyError",
        PLAIN,
        (
            "import traceback\n\n\ndef f(x):\n    try:\n        return g(x)\n"
            "    except KeyError as e:\n"
            "        log.error('%s', ''.join(traceback.format_exception(type(e), e, e.__traceback__)))\n"
            "        raise\n"
        ),
    ),
    "a program that counts its arguments": (
        "IndexError",
        ARGPARSE,
        ARGPARSE.replace(
            "    name", ("    if len(argv) < 2:\n        sys.exit('usage: run NAME')\n    name")
        ),
    ),
    "a program that looks at sys.argv again": (
        "IndexError",
        ARGPARSE,
        ARGPARSE.replace(
            "    sys.exit(main(sys.argv))",
            ("    if len(sys.argv) < 2:\n        sys.exit('usage: run NAME')\n    sys.exit(main(sys.argv))"),
        ),
    ),
    "argparse in place of argv": (
        "IndexError",
        ARGPARSE,
        ARGPARSE.replace(
            "    name = argv[1]",
            (
                "    parser = argparse.ArgumentParser()\n"
                "    parser.add_argument('name')\n"
                "    name = parser.parse_args(argv[1:]).name"
            ),
        ),
    ),
    "a program that parses its arguments": (
        "AttributeError",
        "def main(argv=None):\n    return run(argv.name)\n",
        (
            "import argparse\nimport sys\n\n\ndef main(argv=None):\n"
            "    p = argparse.ArgumentParser()\n"
            "    return run(p.parse_args(argv or sys.argv[1:]))\n"
        ),
    ),
    "a guard of the program": (
        "NameError",
        PLAIN,
        ("import sys\n\n\ndef f(x):\n    return g(x)\n\n\nif __name__ == '__main__':\n    f(sys.argv[1])\n"),
    ),
    "a pid in a file name": (
        "FileExistsError",
        "def f(p):\n    return p + '.tmp'\n",
        ("import os\n\n\ndef f(p):\n    return f'{p}.{os.getpid()}.tmp'\n"),
    ),
    "a pid in a log line": (
        "OSError",
        PLAIN,
        ("import os\n\n\ndef f(x):\n    log.info('worker %d takes %s', os.getpid(), x)\n    return g(x)\n"),
    ),
    "a pid file": (
        "OSError",
        "def f(p):\n    p.write_text('')\n",
        ("import os\n\n\ndef f(p):\n    p.write_text(str(os.getpid()))\n"),
    ),
    "a host name in a field": (
        "KeyError",
        "def f(x):\n    return {'x': x}\n",
        ("import socket\n\n\ndef f(x):\n    return {'x': x, 'host': socket.gethostname()}\n"),
    ),
    "a module of its own": (
        "AttributeError",
        PLAIN,
        ("import sys\n\n\ndef f(x):\n    return getattr(sys.modules[__name__], x)()\n"),
    ),
    "a directory": (
        "FileNotFoundError",
        "def f(p):\n    return open(p)\n",
        ("import os\n\n\ndef f(p):\n    return open(os.path.join(os.getcwd(), p))\n"),
    ),
    "an attribute with a default": (
        "AttributeError",
        "def f(x):\n    return x.name\n",
        "def f(x):\n    return getattr(x, 'name', None)\n",
    ),
    "a setting of the environment": (
        "KeyError",
        "import os\nU = os.environ['URL']\n",
        ("import os\nU = os.environ.get('URL', 'http://localhost')\n"),
    ),
    "a task that is kept": (
        "RuntimeError",
        TASKS,
        TASKS.replace("        asyncio", "        task = asyncio").rstrip()
        + ("\n        self.tasks.add(task)\n        task.add_done_callback(self.tasks.discard)\n"),
    ),
    "gather": (
        "RuntimeError",
        "async def f(xs):\n    return [await g(x) for x in xs]\n",
        ("import asyncio\n\n\nasync def f(xs):\n    return await asyncio.gather(*map(g, xs))\n"),
    ),
    "tasks cancelled and awaited": (
        "RuntimeError",
        "async def f(ts):\n    pass\n",
        (
            "import asyncio\n\n\nasync def f(ts):\n    for t in ts:\n        t.cancel()\n"
            "    await asyncio.gather(*ts, return_exceptions=True)\n"
        ),
    ),
    "all tasks, then the first error": (
        "RuntimeError",
        "async def f(ts):\n    return await asyncio.gather(*ts)\n",
        (
            "import asyncio\n\n\nasync def f(ts):\n"
            "    done = await asyncio.gather(*ts, return_exceptions=True)\n"
            "    for each in done:\n        if isinstance(each, BaseException):\n"
            "            raise each\n    return done\n"
        ),
    ),
    "an error of a future raised": (
        "RuntimeError",
        "def f(fs):\n    return [x.result() for x in fs]\n",
        (
            "def f(fs):\n    for x in fs:\n        if error := x.exception():\n"
            "            raise error\n    return [x.result() for x in fs]\n"
        ),
    ),
    "a pool whose results are asked for": (
        "RuntimeError",
        PLAIN,
        (
            "from concurrent.futures import ThreadPoolExecutor\n\n\ndef f(xs):\n"
            "    with ThreadPoolExecutor() as pool:\n"
            "        return [each.result() for each in [pool.submit(g, x) for x in xs]]\n"
        ),
    ),
    "a thread in the background": (
        "RuntimeError",
        PLAIN,
        ("import threading\n\n\ndef f(x):\n    threading.Thread(target=g, args=(x,), daemon=True).start()\n"),
    ),
    "another encoding": (
        "UnicodeDecodeError",
        "def f(p):\n    return open(p).read()\n",
        (
            "def f(p):\n"
            "    with open(p, encoding='utf-8', errors='replace') as file:\n"
            "        return file.read()\n"
        ),
    ),
    "a guard against recursion": (
        "RecursionError",
        "def f(x):\n    return [f(c) for c in x.children]\n",
        (
            "def f(x, depth=0):\n    if depth > 100:\n"
            "        raise ValueError('nested too deeply')\n"
            "    return [f(c, depth + 1) for c in x.children]\n"
        ),
    ),
    "a copy before a loop": (
        "RuntimeError",
        "def f(d):\n    for k in d:\n        d.pop(k)\n",
        "def f(d):\n    for k in list(d):\n        d.pop(k)\n",
    ),
    "next with a default": (
        "StopIteration",
        "def f(xs):\n    return next(iter(xs))\n",
        "def f(xs):\n    return next(iter(xs), None)\n",
    ),
    "an import under its new name": (
        "ImportError",
        "from collections import Mapping\n",
        "from collections.abc import Mapping\n",
    ),
    "a cache": (
        "RecursionError",
        PLAIN,
        ("from functools import lru_cache\n\n\n@lru_cache(maxsize=100)\ndef f(x):\n    return g(x)\n"),
    ),
    "a decorator of its own": ("KeyError", PLAIN, "@app.route('/x')\ndef f(x):\n    return g(x)\n"),
    "a test of an error's kind": (
        "ValueError",
        PLAIN,
        ("def f(x):\n    if isinstance(x, Exception):\n        raise x\n    return g(x)\n"),
    ),
    "a removed wrong test": (
        "IndexError",
        ("def f(x):\n    if len(x) > 0 or True:\n        return x[0]\n"),
        "def f(x):\n    return x[0] if x else None\n",
    ),
    "an inner function named for its use": (
        "TypeError",
        PLAIN,
        ("def f(x):\n    def exception(e):\n        return e\n    return exception(g(x))\n"),
    ),
}


@pytest.mark.parametrize(("logged", "old", "new"), FIXES.values(), ids=FIXES)
def test_an_ordinary_fix_is_not_blocked(tmp_path, logged, old, new):
    before, after = {"shop/load.py": old}, {"shop/load.py": new}
    found = review(diff(tmp_path, before, after), reader(before), reader(after), exception_type=logged)
    assert [finding for finding in found if finding.severity is Severity.BLOCKED] == []


def test_the_list_of_ordinary_fixes_is_long_enough_to_say_something():
    assert len(FIXES) >= 40
