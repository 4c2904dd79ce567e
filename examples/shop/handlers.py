from .items import STOCK
from .routes import route


@route("look")
def look(session, name):
    item = STOCK[name]
    return {"label": item.label(), "price": item.price()}


@route("buy")
def buy(session, name):
    item = STOCK[name]
    item.sold += 1
    session.basket.append(item)
    return {"greeting": session.greeting(), "items": len(session.basket)}
