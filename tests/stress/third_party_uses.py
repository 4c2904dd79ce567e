"""How each package is used, up to the `yield` where it is reloaded, and beyond."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

Run = Callable[[], Iterator[None]]


@dataclass
class Use:
    """A use of some packages, and which tests that come with them are run."""

    run: Run
    packages: tuple[str, ...]
    only_once: tuple[str, ...] = ()
    """Modules that say themselves that they must not be run a second time."""
    tests: tuple[str, ...] = ()
    refuses: str = ""
    """Why it cannot be reloaded, if that is known."""


USES: dict[str, Use] = {}


def use(
    *packages: str,
    only_once: tuple[str, ...] = (),
    tests: tuple[str, ...] = (),
    refuses: str = "",
) -> Callable[[Run], Run]:
    def add(run: Run) -> Run:
        USES[run.__name__] = Use(run, packages, only_once, tests, refuses)
        return run

    return add


@contextmanager
def raises(kind: type[BaseException]) -> Iterator[list[Any]]:
    """What pytest.raises does; not every environment has pytest."""
    caught: list[Any] = []
    try:
        yield caught
    except kind as error:
        caught.append(error)
    else:
        raise AssertionError(f"no {kind.__name__}")


@use("attr", "attrs")
def attrs() -> Iterator[None]:
    import attr

    @attr.define
    class Point:
        x: int = attr.field(validator=attr.validators.instance_of(int))
        y: int = attr.field(default=0, converter=int)

    @attr.frozen
    class Line:
        start: Point
        end: Point = attr.field(factory=lambda: Point(9, 9))

    line = Line(Point(1, "2"))
    yield
    assert line == Line(Point(1, 2))
    assert attr.asdict(line) == {"start": {"x": 1, "y": 2}, "end": {"x": 9, "y": 9}}
    assert attr.evolve(line, end=line.start).end is line.start
    assert [a.name for a in attr.fields(Point)] == ["x", "y"]
    with raises(attr.exceptions.FrozenInstanceError):
        line.end = line.start
    with raises(TypeError):
        Point("a")


@use("click")
def click() -> Iterator[None]:
    import click
    from click.testing import CliRunner

    @click.group()
    @click.option("--loud/--quiet", default=False)
    @click.pass_context
    def cli(context, loud):
        context.obj = loud

    @cli.command()
    @click.argument("name", type=click.Choice(["ann", "bob"]))
    @click.option("--count", type=click.IntRange(1, 3), default=1)
    @click.pass_obj
    def greet(loud, name, count):
        for _ in range(count):
            click.echo(("HELLO " if loud else "hello ") + name)

    runner = CliRunner()
    assert runner.invoke(cli, ["greet", "ann"]).output == "hello ann\n"
    yield
    assert (
        runner.invoke(cli, ["--loud", "greet", "bob", "--count", "2"]).output == "HELLO bob\n" * 2
    )
    assert runner.invoke(cli, ["greet", "eve"]).exit_code == 2
    assert runner.invoke(cli, ["greet", "ann", "--count", "7"]).exit_code == 2
    assert CliRunner().invoke(cli, ["--help"]).exit_code == 0


@use("jinja2")
def jinja2() -> Iterator[None]:
    import jinja2

    base = "{% block body %}base{% endblock %}"
    page = (
        "{% extends 'base' %}{% block body %}{% for x in xs if x %}{{ loop.index }}:{{ x|upper }} "
        "{% else %}none{% endfor %}{{ super() }}{% endblock %}"
    )
    environment = jinja2.Environment(
        loader=jinja2.DictLoader({"base": base, "page": page}), autoescape=True
    )
    template = environment.get_template("page")
    assert template.render(xs=["a"]) == "1:A base"
    yield
    assert template.render(xs=["<", 0, "b"]) == "1:&lt; 2:B base"
    assert template.render(xs=[]) == "nonebase"
    assert (
        environment.from_string("{% macro m(a) %}[{{ a }}]{% endmacro %}{{ m(1) }}").render()
        == "[1]"
    )
    with raises(jinja2.TemplateSyntaxError):
        environment.from_string("{% for %}")


@use("markupsafe")
def markupsafe() -> Iterator[None]:
    from markupsafe import Markup, escape

    bold = Markup("<b>%s</b>")
    yield
    assert bold % "<" == Markup("<b>&lt;</b>") == "<b>&lt;</b>"
    assert isinstance(escape("<"), type(bold))
    assert bold.striptags() == "%s"


@use("packaging")
def packaging() -> Iterator[None]:
    from packaging.markers import Marker
    from packaging.requirements import Requirement
    from packaging.specifiers import SpecifierSet
    from packaging.version import InvalidVersion, Version

    versions = [Version("1.10"), Version("1.9"), Version("1.10rc1")]
    allowed = SpecifierSet(">=1.9,<2")
    marker = Marker("python_version >= '3'")
    yield
    assert [str(each) for each in sorted(versions)] == ["1.9", "1.10rc1", "1.10"]
    assert Version("1.10") == versions[0]
    assert hash(Version("1.10")) == hash(versions[0])
    assert versions[0] in allowed
    assert Version("2.1") not in allowed
    assert marker.evaluate()
    assert Requirement("a[b]>=1; os_name == 'x'").extras == {"b"}
    with raises(InvalidVersion):
        Version("?")


@use("yaml")
def yaml() -> Iterator[None]:
    import yaml

    class Point(yaml.YAMLObject):
        yaml_tag = "!point"
        yaml_loader = yaml.SafeLoader
        x = 0

    text = "a: [1, 2.5, true, null, 2001-01-01]\nb: &x {c: d}\ne: *x\n"
    before = yaml.safe_load(text)
    yield
    assert yaml.safe_load(text) == before
    assert yaml.safe_load(yaml.safe_dump(before)) == before
    assert type(yaml.safe_load("!point {x: 3}")) is Point
    with raises(yaml.YAMLError):
        yaml.safe_load("a: [")


@use(
    "networkx",
    tests=("networkx.classes.tests", "networkx.algorithms.tests.test_dag"),
)
def networkx() -> Iterator[None]:
    import networkx as nx

    graph = nx.petersen_graph()
    ways = nx.DiGraph([(1, 2), (2, 3), (1, 3)])
    yield
    assert nx.diameter(graph) == 2
    assert nx.is_isomorphic(graph, nx.petersen_graph())
    assert list(nx.topological_sort(ways)) == [1, 2, 3]
    assert nx.shortest_path(ways, 1, 3) == [1, 3]
    assert nx.node_link_graph(nx.node_link_data(ways)).edges == ways.edges


@use(
    "sympy",
    tests=("sympy.core.tests.test_symbol", "sympy.polys.tests.test_polyutils"),
    refuses="modules compute while they are run, with numbers of classes that are not yet reloaded",
)
def sympy() -> Iterator[None]:
    import sympy

    x, y = sympy.symbols("x y")
    expression = sympy.sin(x) ** 2 + sympy.cos(x) ** 2
    polynomial = sympy.Poly(x**2 - 1)
    yield
    assert sympy.simplify(expression) == 1
    assert polynomial.factor_list()[1][0][1] == 1
    assert sympy.integrate(sympy.exp(-(x**2)), (x, -sympy.oo, sympy.oo)) == sympy.sqrt(sympy.pi)
    assert sympy.solve([x + y - 3, x - y - 1], [x, y]) == {x: 2, y: 1}
    assert sympy.symbols("x") == x
    assert isinstance(x, sympy.Symbol)
    assert sympy.Matrix([[1, 2], [3, 4]]).det() == -2


@use("pydantic")
def pydantic() -> Iterator[None]:
    import pydantic

    class Item(pydantic.BaseModel):
        name: str = pydantic.Field(min_length=2)
        count: int = 1

        @pydantic.field_validator("name")
        @classmethod
        def lower(cls, name: str) -> str:
            return name.lower()

    class Order(pydantic.BaseModel):
        items: list[Item]

        @pydantic.computed_field
        @property
        def total(self) -> int:
            return sum(item.count for item in self.items)

    order = Order(items=[Item(name="AB", count=2)])
    yield
    assert order.model_dump() == {"items": [{"name": "ab", "count": 2}], "total": 2}
    assert Order.model_validate_json(order.model_dump_json()) == order
    assert isinstance(order, pydantic.BaseModel)
    with raises(pydantic.ValidationError) as caught:
        Item(name="a", count="x")
    assert caught[0].error_count() == 2

    class Late(Item):
        late: bool = True

    assert Late(name="xy").model_json_schema()["title"] == "Late"


@use("sqlalchemy")
def sqlalchemy() -> Iterator[None]:
    from sqlalchemy import ForeignKey, create_engine, func, select
    from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship

    class Base(DeclarativeBase):
        pass

    class User(Base):
        __tablename__ = "user"
        id: Mapped[int] = mapped_column(primary_key=True)
        name: Mapped[str]
        posts: Mapped[list["Post"]] = relationship(back_populates="user")

    class Post(Base):
        __tablename__ = "post"
        id: Mapped[int] = mapped_column(primary_key=True)
        text: Mapped[str]
        user_id: Mapped[int] = mapped_column(ForeignKey("user.id"))
        user: Mapped[User] = relationship(back_populates="posts")

    globals().update(User=User, Post=Post)
    engine = create_engine("sqlite://")
    Base.metadata.create_all(engine)
    session = Session(engine)
    session.add(User(name="ann", posts=[Post(text="a"), Post(text="b")]))
    session.commit()
    query = select(User).where(User.name == "ann")
    yield
    ann = session.scalars(query).one()
    assert [post.text for post in ann.posts] == ["a", "b"]
    ann.posts.append(Post(text="c"))
    session.commit()
    with Session(engine) as other:
        assert other.scalar(select(func.count()).select_from(Post).join(User)) == 3
        counted = select(User.name, func.count(Post.id)).join(Post).group_by(User.name)
        assert other.execute(counted).all() == [("ann", 3)]
        other.delete(other.get(Post, 1))
        other.commit()
    session.expire_all()
    assert len(ann.posts) == 2
    session.close()


@use("django", only_once=("django.apps.registry",))
def django() -> Iterator[None]:
    import django
    from django.conf import settings

    if not settings.configured:
        settings.configure(
            ALLOWED_HOSTS=["*"], ROOT_URLCONF=__name__, SECRET_KEY="x",
            DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
            TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates"}],
        )  # fmt: skip
        django.setup()
    from django import forms
    from django.apps import apps
    from django.db import connection, models
    from django.http import JsonResponse
    from django.template import engines
    from django.test import Client
    from django.urls import path

    apps.all_models["uses"].clear()

    class Book(models.Model):
        title = models.CharField(max_length=9)

        class Meta:
            app_label = "uses"
            db_table = "book"

    with connection.schema_editor() as editor:
        if "book" not in connection.introspection.table_names():
            editor.create_model(Book)
    Book.objects.all().delete()
    Book(title="one").save()

    class BookForm(forms.Form):
        title = forms.CharField(max_length=3)

    def books(request):
        return JsonResponse({"books": [book.title for book in Book.objects.order_by("title")]})

    globals()["urlpatterns"] = [path("books/", books)]
    client = Client()
    template = engines["django"].from_string("{% for b in books %}{{ b.title|upper }}{% endfor %}")
    assert client.get("/books/").json() == {"books": ["one"]}
    yield
    Book.objects.create(title="two")
    assert client.get("/books/").json() == {"books": ["one", "two"]}
    assert Client().get("/none/").status_code == 404
    assert template.render({"books": Book.objects.filter(title__startswith="t")}) == "TWO"
    assert not BookForm({"title": "long"}).is_valid()
    assert BookForm({"title": "abc"}).is_valid()


@use(
    "numpy",
    only_once=("numpy._globals", "numpy.exceptions"),
    tests=("numpy.lib.tests.test_arraypad",),
)
def numpy() -> Iterator[None]:
    import numpy as np

    array = np.arange(12).reshape(3, 4)
    masked = np.ma.array([1, 2, 3], mask=[0, 1, 0])
    generator = np.random.default_rng(1)
    polynomial = np.polynomial.Polynomial([1, 2])
    yield
    assert array.sum(axis=0).tolist() == [12, 15, 18, 21]
    assert masked.mean() == 2
    assert isinstance(masked, np.ma.MaskedArray)
    assert generator.integers(10, size=3).shape == (3,)
    assert polynomial(2) == 5
    assert np.allclose(np.linalg.inv(np.eye(3) * 2), np.eye(3) / 2)
    assert "array" in repr(array)
    assert np.fft.fft([1, 0]).tolist() == [1, 1]


@use(
    "pandas",
    refuses="its options are registered once",
    tests=("pandas.tests.series.test_arithmetic",),
)
def pandas() -> Iterator[None]:
    import pandas as pd

    frame = pd.DataFrame({"a": [1, 2, 2], "b": [1.0, None, 3.0], "c": list("xyz")})
    dates = pd.date_range("2020-01-01", periods=3)
    yield
    assert frame.groupby("a").b.sum().tolist() == [1.0, 3.0]
    assert frame.merge(frame, on="c").shape == (3, 5)
    assert frame.set_index(dates).resample("2D").a.sum().tolist() == [3, 2]
    assert isinstance(frame.a, pd.Series)
    assert frame.c.str.upper().tolist() == list("XYZ")
    assert pd.concat([frame, frame]).drop_duplicates().shape == (3, 3)
    assert "a" in repr(frame)


@use("requests", "urllib3", "idna", "certifi", "charset_normalizer")
def requests() -> Iterator[None]:
    import http.server
    import threading

    import requests

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            body = b'{"path": "%s"}' % self.path.encode()
            self.send_response(200 if self.path != "/bad" else 500)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}"
    session = requests.Session()
    assert session.get(url + "/a").json() == {"path": "/a"}
    yield
    assert session.get(url + "/b", params={"q": 1}).json() == {"path": "/b?q=1"}
    with raises(requests.HTTPError) as caught:
        requests.get(url + "/bad").raise_for_status()
    assert caught[0].response.status_code == 500
    session.close()
    server.shutdown()
