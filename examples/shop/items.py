from .pricing import gross


class Item:
    def __init__(self, name, net):
        self.name = name
        self.net = net
        self.sold = 0

    def price(self):
        return gross(self.net)

    def label(self):
        return self.name


class Book(Item):
    pass


class Food(Item):
    pass


STOCK = {"novel": Book("novel", 1049), "bread": Food("bread", 333)}
