"""The programs that servers.py serves: VERSION_NUMBER is what an edit changes.

Each answers GET /items/ with the items that it keeps and the versions of the code that made
the answer.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Program:
    entry: str
    """The module of which `begin()` makes a WSGI application, or what asyncio.start_server
    takes."""
    files: dict[str, str]
    is_asyncio: bool = False


ANSWER = """
import json

def answer(environ, start_response, said):
    body = json.dumps(said).encode()
    start_response("200 OK", [("Content-Type", "application/json")])
    return [body]
"""

DJANGO = {
    "shop/__init__.py": "",
    "shop/entry.py": """
import pathlib
import django
from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler

def begin():
    settings.configure(
        ALLOWED_HOSTS=["*"], ROOT_URLCONF="shop.urls", SECRET_KEY="x", INSTALLED_APPS=["shop"],
        DATABASES={"default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": str(pathlib.Path(__file__).parent / "db.sqlite3"),
        }},
        MIDDLEWARE=["shop.middleware.Counting"], DEBUG_PROPAGATE_EXCEPTIONS=True,
    )
    django.setup()
    from django.db import connection
    from shop.models import Item
    with connection.schema_editor() as editor:
        editor.create_model(Item)
    for name in ("one", "two"):
        Item.objects.create(name=name)
    return WSGIHandler()
""",
    "shop/middleware.py": """
class Counting:
    def __init__(self, get_response):
        self.get_response = get_response
        self.count = 0

    def __call__(self, request):
        self.count += 1
        request.version = VERSION_NUMBER
        return self.get_response(request)
""",
    "shop/models.py": """
from django.db import models

class Item(models.Model):
    name = models.CharField(max_length=9)

    def version(self):
        return VERSION_NUMBER
""",
    "shop/views.py": """
from django.http import JsonResponse
from shop.models import Item

def items(request):
    found = list(Item.objects.order_by("name"))
    versions = [VERSION_NUMBER, request.version, *(item.version() for item in found)]
    return JsonResponse({"items": [item.name for item in found], "versions": versions})
""",
    "shop/urls.py": """
from django.urls import path
from shop import views

urlpatterns = [path("items/", views.items)]
""",
}

SQLALCHEMY = {
    "answering.py": ANSWER,
    "tables.py": """
from sqlalchemy import Column, Integer, MetaData, String, Table, create_engine
from sqlalchemy.orm import registry, sessionmaker
from sqlalchemy.pool import StaticPool

engine = create_engine(
    "sqlite://", connect_args={"check_same_thread": False}, poolclass=StaticPool)
mapping = registry()
items = Table("items", mapping.metadata, Column("name", String, primary_key=True))
new_session = sessionmaker(engine)
""",
    "catalogue.py": """
import threading
from sqlalchemy import select
import tables

lock = threading.Lock()

class Item:
    def __init__(self, name):
        self.name = name

    def version(self):
        return VERSION_NUMBER

def all_items():
    with lock, tables.new_session() as session:
        found = session.scalars(select(Item).order_by(tables.items.c.name)).all()
        return [item.name for item in found], [item.version() for item in found]
""",
    "entry.py": """
import catalogue, tables
from answering import answer

def begin():
    tables.mapping.map_imperatively(catalogue.Item, tables.items)
    tables.mapping.metadata.create_all(tables.engine)
    with tables.new_session() as session:
        session.add_all([catalogue.Item("one"), catalogue.Item("two")])
        session.commit()
    return handle

def handle(environ, start_response):
    names, versions = catalogue.all_items()
    return answer(environ, start_response, {"items": names, "versions": versions})
""",
}

DECLARATIVE = {
    "answering.py": ANSWER,
    "database.py": """
from sqlalchemy import create_engine
from sqlalchemy.orm import DeclarativeBase, sessionmaker
from sqlalchemy.pool import StaticPool

engine = create_engine(
    "sqlite://", connect_args={"check_same_thread": False}, poolclass=StaticPool)
new_session = sessionmaker(engine)

class Base(DeclarativeBase):
    pass
""",
    "catalogue.py": """
import threading
from sqlalchemy import ForeignKey, select
from sqlalchemy.orm import Mapped, mapped_column, relationship
from database import Base, new_session

lock = threading.Lock()

class Shelf(Base):
    __tablename__ = "shelves"
    number: Mapped[int] = mapped_column(primary_key=True)
    items: Mapped[list["Item"]] = relationship(back_populates="shelf")

class Item(Base):
    __tablename__ = "items"
    name: Mapped[str] = mapped_column(primary_key=True)
    on: Mapped[int] = mapped_column(ForeignKey("shelves.number"))
    shelf: Mapped[Shelf] = relationship(back_populates="items")

    def version(self):
        return VERSION_NUMBER

def all_items():
    with lock, new_session() as session:
        shelf = session.scalars(select(Shelf)).one()
        found = sorted(shelf.items, key=lambda item: item.name)
        assert all(item.shelf is shelf for item in found)
        return [item.name for item in found], [item.version() for item in found]
""",
    "entry.py": """
import catalogue, database
from answering import answer

def begin():
    database.Base.metadata.create_all(database.engine)
    with database.new_session() as session:
        shelf = catalogue.Shelf(number=1)
        session.add_all([shelf, *(catalogue.Item(name=n, shelf=shelf) for n in ("one", "two"))])
        session.commit()
    return handle

def handle(environ, start_response):
    names, versions = catalogue.all_items()
    return answer(environ, start_response, {"items": names, "versions": versions})
""",
}

ARRAYS = {
    "answering.py": ANSWER,
    "things.py": """
import numpy as np
import pandas as pd

class Item:
    def __init__(self, name):
        self.name = name

    def version(self):
        return VERSION_NUMBER

def described(item):
    return item.name, item.version(), VERSION_NUMBER

array = np.array([Item("one"), Item("two")], dtype=object)
frame = pd.DataFrame({"item": array, "how": [described, described]})
""",
    "entry.py": """
import things
from answering import answer

def begin():
    return handle

def handle(environ, start_response):
    rows = [how(item) for item, how in zip(things.frame["item"], things.frame["how"])]
    direct = [item.version() for item in things.array]
    versions = [*direct, *(version for row in rows for version in row[1:])]
    names = [row[0] for row in rows]
    return answer(environ, start_response, {"items": names, "versions": versions})
""",
}

ASYNCIO = {
    "items.py": """
import dataclasses

@dataclasses.dataclass(frozen=True)
class Item:
    name: str

    def version(self):
        return VERSION_NUMBER

ITEMS = {Item("one"): "one", Item("two"): "two"}
""",
    "entry.py": """
import asyncio, json
from items import ITEMS

def begin():
    return handle

async def described(item):
    await asyncio.sleep(0)
    return ITEMS[item], item.version()

async def handle(reader, writer):
    await reader.readuntil(b"\\r\\n\\r\\n")
    found = await asyncio.gather(*(described(item) for item in ITEMS))
    body = json.dumps({"items": [name for name, _ in found],
                       "versions": [VERSION_NUMBER, *(version for _, version in found)]})
    writer.write(b"HTTP/1.0 200 OK\\r\\n\\r\\n" + body.encode())
    await writer.drain()
    writer.close()
    await writer.wait_closed()
""",
}

PROGRAMS = {
    "asyncio": Program("entry", ASYNCIO, is_asyncio=True),
    "django": Program("shop.entry", DJANGO),
    "numpy and pandas": Program("entry", ARRAYS),
    "sqlalchemy, declarative": Program("entry", DECLARATIVE),
    "sqlalchemy": Program("entry", SQLALCHEMY),
}
