"""%load_ext gcremap in a real kernel: cells that run again, and modules that change."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.manager import KernelManager


class Kernel:
    """A kernel that runs in a process of its own, and its cells."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._manager = KernelManager(kernel_name="python3")
        self._manager.start_kernel(
            cwd=str(folder),
            env={**os.environ, "IPYTHONDIR": str(folder / ".ipython")},
            extra_arguments=["--HistoryManager.enabled=False"],
        )
        self._client: Any = self._manager.client()
        self._client.start_channels()
        self._client.wait_for_ready(timeout=60)

    def run(self, cell: str) -> str:
        """What the cell prints and shows: also an exception, the last line of its traceback."""
        shown: list[str] = []

        def output(message: Any) -> None:
            content = message["content"]
            match message["msg_type"]:
                case "stream":
                    shown.append(content["text"])
                case "execute_result":
                    shown.append(content["data"]["text/plain"] + "\n")
                case "error":
                    shown.append(f"{content['ename']}: {content['evalue']}\n")

        self._client.execute_interactive(
            textwrap.dedent(cell), store_history=True, timeout=60, output_hook=output
        )
        return "".join(shown).rstrip("\n")

    def write(self, **sources: str) -> None:
        for name, source in sources.items():
            (self.folder / f"{name}.py").write_text(source)

    def stop(self) -> None:
        self._client.stop_channels()
        self._manager.shutdown_kernel(now=True)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    kernel = Kernel(tmp_path_factory.mktemp("notebook"))
    assert kernel.run("%load_ext gcremap") == ""
    yield kernel
    kernel.stop()


@pytest.fixture
def kernel(running: Kernel) -> Iterator[Kernel]:
    yield running
    assert running.run("%gcremap 0") == ""


def test_class_in_a_cell_takes_its_instances_and_references_along(kernel: Kernel) -> None:
    cell = """
        class Cart:
            made = []
            def total(self):
                return {}
    """
    kernel.run(cell.format(1))
    kernel.run("cart = Cart(); Cart.made.append(cart); method = cart.total; kinds = [Cart]")
    kernel.run("class Basket(Cart):\n    pass\nbasket = Basket()")
    assert kernel.run(cell.format(2)) == ""
    assert (
        kernel.run("print(cart.total(), method(), basket.total(), Basket().total())") == "2 2 2 2"
    )
    assert kernel.run("type(cart) is Cart is kinds[0] is Basket.__base__") == "True"
    assert kernel.run("Cart.made == [cart]") == "True"


def test_class_of_another_layout(kernel: Kernel) -> None:
    kernel.run("class Point:\n    def __init__(self):\n        self.x = 1\npoint = Point()")
    assert (
        kernel.run("class Point:\n    __slots__ = ('x', 'y')\n    def show(self): return self.x")
        == ""
    )
    assert kernel.run("print(point.show(), type(point) is Point)") == "1 True"


def test_function_in_a_cell(kernel: Kernel) -> None:
    kernel.run("def price(item): return item")
    kernel.run(
        """
        from functools import partial
        handlers = {"sale": price, "job": partial(price, 1)}
        def receipt(using=price): return using(1)
        """
    )
    assert kernel.run("%%time\ndef price(item): return item * 10").startswith("CPU times")
    assert kernel.run("[handlers['sale'](1), handlers['job'](), receipt(), price(1)]") == (
        "[10, 10, 10, 10]"
    )


def test_decorated_function_in_a_cell(kernel: Kernel) -> None:
    cell = "import functools\n@functools.cache\ndef cached(): return {}\n"
    kernel.run(cell.format(1))
    kernel.run("held = [cached]; cached()")
    kernel.run(cell.format(2))
    assert kernel.run("print(held[0](), held[0] is cached)") == "2 True"


def test_what_a_failing_cell_has_defined_counts(kernel: Kernel) -> None:
    kernel.run("def early(): return 1")
    kernel.run("held_early = [early]")
    assert kernel.run("def early(): return 2\n1 / 0") == "ZeroDivisionError: division by zero"
    assert kernel.run("held_early[0]()") == "2"


def test_a_wrapper_by_the_same_name_does_not_come_to_call_itself(kernel: Kernel) -> None:
    kernel.run("def step(): return 1")
    kernel.run("plain = step\ndef step(): return plain() + 1")
    assert kernel.run("print(plain(), step())") == "1 2"
    kernel.run("def wrap(f): return lambda: f() + 1")
    kernel.run("step = wrap(step)")
    assert kernel.run("step()") == "3"


def test_another_kind_of_thing_by_the_same_name_is_another_thing(kernel: Kernel) -> None:
    kernel.run("def thing(): return 1")
    kernel.run("things = [thing]")
    kernel.run("thing = len")
    assert kernel.run("things[0]()") == "1"


def test_what_cannot_move_is_said_and_the_earlier_one_lives_on(kernel: Kernel) -> None:
    kernel.run("class Held:\n    def show(self): return 1\nheld = Held()")
    said = kernel.run(
        """
        class Held:
            def show(self): return 2
            def __reloaded__(self, old): raise RuntimeError("not me")
        """
    )
    assert said == "gcremap: what refers to the earlier Held stays with it: RuntimeError: not me"
    assert kernel.run("print(held.show(), Held().show(), type(held) is Held)") == "1 2 False"


def test_modes_of_modules(kernel: Kernel) -> None:
    kernel.write(shop="def price(): return 1\n", till="def total(): return 1\n")
    kernel.run("import shop, till\nfrom shop import price")
    kernel.write(shop="def price(): return 22\n")
    assert kernel.run("price()") == "1"
    assert kernel.run("%gcremap\nprice()") == "22"

    kernel.run("%gcremap 1 shop")
    kernel.write(shop="def price(): return 333\n", till="def total(): return 333\n")
    assert kernel.run("print(price(), till.total())") == "333 1"

    kernel.run("%gcremap 2 -till")
    kernel.write(shop="def price(): return 4444\n", till="def total(): return 4444\n")
    assert kernel.run("print(price(), till.total())") == "4444 1"
    kernel.run("%gcremap 2")
    assert kernel.run("print(price(), till.total())") == "4444 4444"

    kernel.run("%gcremap off")
    kernel.write(shop="def price(): return 55555\n")
    assert kernel.run("price()") == "4444"
    assert kernel.run("%gcremap now\nprice()") == "55555"


def test_module_that_fails_is_shown_once_and_the_cell_runs(kernel: Kernel) -> None:
    kernel.write(tax="def rate(): return 1\n")
    kernel.run("import tax\n%gcremap 2")
    kernel.write(tax="def rate(): return 22\n1 / 0\n")
    said = kernel.run("tax.rate()").splitlines()
    assert "ZeroDivisionError: division by zero" in said
    assert "gcremap: tax not reloaded, nothing has changed" in said
    assert said[-1] == "1"
    assert kernel.run("tax.rate()") == "1"
    kernel.write(tax="def rate(): return 333\n")
    assert kernel.run("tax.rate()") == "333"


def test_greload(kernel: Kernel) -> None:
    kernel.write(stock="def left(): return 1\n")
    kernel.run("import stock")
    kernel.write(stock="def left(): return 22\n")
    assert (
        kernel.run("report = %greload stock\nprint(report.updated, stock.left())") == "['left'] 22"
    )
    assert "UsageError: %greload: no module nowhere" in kernel.run("%greload nowhere")
    kernel.write(stock="1 / 0\n")
    assert "ZeroDivisionError" in kernel.run("%greload stock")
    assert kernel.run("stock.left()") == "22"


@pytest.mark.parametrize("line", ["3", "0 shop", "2 shop", "on"])
def test_words_that_it_does_not_take(kernel: Kernel, line: str) -> None:
    assert kernel.run(f"%gcremap {line}") == (
        "UsageError: %gcremap takes 0, or 1 MODULE ..., or 2 -MODULE ..."
    )


def test_unload(kernel: Kernel) -> None:
    kernel.run("def gone(): return 1")
    kernel.run("held_gone = [gone]")
    assert kernel.run("%unload_ext gcremap") == ""
    kernel.run("def gone(): return 2")
    assert kernel.run("held_gone[0]()") == "1"
    assert "UsageError: Line magic function `%gcremap` not found" in kernel.run("%gcremap")
    assert kernel.run("%load_ext gcremap") == ""
    kernel.run("def gone(): return 3")
    assert kernel.run("print(held_gone[0](), gone())") == "1 3"
