"""Writes an invoice every few seconds, with whatever price rule rule-editor last published."""

import itertools
import os
import time
from decimal import Decimal

import live

LIST_PRICE = Decimal("20.00")
ORDERS = [10, 60, 250]  # pieces
PAUSE = float(os.environ.get("PAUSE_SECONDS", "5"))


def invoice(number, quantity):
    """Return the text of an invoice for an order of this quantity."""
    rule = live.load("price_rule")
    price = rule.unit_price(LIST_PRICE, quantity) if rule else LIST_PRICE
    return f"invoice {number}: {quantity} x {price:.2f} = {quantity * price:.2f} ({rule.NAME if rule else 'list price'})"


if __name__ == "__main__":
    for number, quantity in enumerate(itertools.cycle(ORDERS), start=1):
        print(invoice(number, quantity), flush=True)
        time.sleep(PAUSE)
