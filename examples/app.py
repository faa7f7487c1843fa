"""An application in production, as far as a log can tell: it lists products and logs what goes wrong.

Usage: python examples/app.py --log app.log [--shop DIR] [--times N]
"""

import argparse
import logging
import sys
from pathlib import Path


def main(argv=None):
    """List every product; the one without reviews brings the bug to light."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--log", type=Path, required=True, help="the log file to write")
    parser.add_argument("--shop", type=Path, default=Path(__file__).parent / "shop", help="the deployed code")
    parser.add_argument("--times", type=int, default=1, help="how many requests fail")
    options = parser.parse_args(argv)
    logging.basicConfig(
        filename=options.log,
        level=logging.INFO,
        format="%(asctime)s %(levelname)s [%(name)s] %(message)s",
    )
    log = logging.getLogger("shop")
    sys.path.insert(0, str(options.shop))
    from shop import catalogue, ratings

    log.info("listing %d products", len(catalogue.PRODUCTS))
    for number in range(options.times):
        for product_id in catalogue.PRODUCTS:
            try:
                log.info("request %d: %s", number, ratings.summary(catalogue.find(product_id)))
            except Exception:
                log.exception("request %d: product %s could not be listed", number, product_id)


if __name__ == "__main__":
    main()
