class Session:
    def __init__(self, user):
        self.user = user
        self.count = 0
        self.basket = []

    def greeting(self):
        return f"hello {self.user}"


SESSIONS = {}


def session_of(user):
    if user not in SESSIONS:
        SESSIONS[user] = Session(user)
    return SESSIONS[user]
