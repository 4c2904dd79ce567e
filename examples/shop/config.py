NAME = "corner shop"
TAX = 20
