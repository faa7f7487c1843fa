"""The products and what customers said about them."""

PRODUCTS = {
    "kettle": {"name": "Kettle", "price": 3900, "stars": [5, 4, 4]},
    "teapot": {"name": "Teapot", "price": 2450, "stars": [5]},
    "infuser": {"name": "Infuser", "price": 790, "stars": []},
}


def find(product_id):
    """Return a product by its id."""
    return PRODUCTS[product_id]
