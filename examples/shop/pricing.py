from .config import TAX


def gross(net):
    return net + net * TAX // 100
