import functools

ROUTES = {}


def route(name):
    def register(function):
        @functools.wraps(function)
        def counted(session, *words):
            session.count += 1
            return {"count": session.count, **function(session, *words)}

        ROUTES[name] = counted
        return counted

    return register
