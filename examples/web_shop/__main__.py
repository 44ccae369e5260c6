"""The tour: `python -m examples.web_shop`, or `python3 run.py example web_shop`. With `--serve`, the shop itself."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from examples.terminal import heading
from examples.web_shop.outside.bank_company import BankCompany
from examples.web_shop.serve import port, serve
from examples.web_shop.tour.play import TourFailed, play
from examples.web_shop.tour.server import ServerFailed


def main(words: list[str] | None = None) -> int:
    """Play the tour; return 0 when every answer was as it must be, 1 when not, 2 for senseless arguments."""
    arguments = _parser().parse_args(words)
    with tempfile.TemporaryDirectory(prefix="web-shop-") as scratch:
        if arguments.serve:
            return _serve(arguments.store or Path(scratch) / "shop", arguments.port)
        if arguments.store is not None:
            print("web_shop: --store goes with --serve; the tour makes a new store", file=sys.stderr)
            return 2
        try:
            play(Path(scratch) / "shop")
        except (TourFailed, ServerFailed) as error:
            print(f"web_shop: NOT as it must be: {error}", file=sys.stderr)
            return 1
    print(heading("Every answer was as it must be."))
    return 0


def _serve(store: Path, at: int) -> int:
    url = f"http://127.0.0.1:{at}"
    print(f"""The shop, until Ctrl-C; its documentation is at {url}/docs. Try:

curl -X PUT {url}/customers/ada/card \\
  -H 'Content-Type: application/json' \\
  -d '{{"number": "4000000000000001", "expires": "2020-01"}}'
curl -i {url}/orders -H 'Idempotency-Key: 1' \\
  -H 'Content-Type: application/json' \\
  -d '{{"customer_id": "ada", "lines": [{{"product": "tea", "quantity": 2}}]}}'

That card has expired. Give another one, and look at the order again.
""")
    with BankCompany() as bank:
        try:
            serve(store, bank.url, at)
        except KeyboardInterrupt:  # uvicorn has ended in order, and passes the signal on
            return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="web_shop", description="Orders over HTTP: at once, later, cancelled, and after a kill."
    )
    parser.add_argument("--serve", action="store_true", help="serve until Ctrl-C, instead of the tour")
    parser.add_argument("--port", type=port, default=8000, help="with --serve: where (default: 8000)")
    parser.add_argument(
        "--store", type=Path, help="with --serve: the directory of its data (default: one that goes)"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
