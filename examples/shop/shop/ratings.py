"""Ratings: the stars that customers gave."""


def average(stars):
    """Return the average number of stars, with one decimal."""
    return round(sum(stars) / len(stars), 1)


def summary(product):
    """Return one line about a product for the listing."""
    rating = average(product["stars"])
    return f"{product['name']}: {rating} stars"
