from shop.ratings import average, summary


def test_the_average_has_one_decimal():
    assert average([5, 4, 4]) == 4.3


def test_the_summary_names_the_product_and_its_stars():
    assert summary({"name": "Teapot", "stars": [5]}) == "Teapot: 5.0 stars"
