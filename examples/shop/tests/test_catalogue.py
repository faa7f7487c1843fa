import pytest
from shop.catalogue import find


def test_a_product_is_found_by_its_id():
    assert find("kettle")["name"] == "Kettle"


def test_an_unknown_product_is_an_error():
    with pytest.raises(KeyError):
        find("spoon")
