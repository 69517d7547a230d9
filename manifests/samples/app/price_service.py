"""Quotes prices over HTTP: GET /price?quantity=100. The rule that it applies is whatever rule-editor last published."""

import json
import os
import urllib.parse
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, HTTPServer

import live

LIST_PRICE = Decimal("20.00")


def quote(quantity):
    """Return the price of one piece, and the name of the rule that made it."""
    rule = live.load("price_rule")  # found because podshare added the share to PYTHONPATH
    if rule is None:
        return LIST_PRICE, "no rule yet: the list price"
    return rule.unit_price(LIST_PRICE, quantity), rule.NAME


class Handler(BaseHTTPRequestHandler):
    """Answers in JSON."""

    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        if url.path == "/healthz":
            self.reply(200, {"status": "ok"})
        elif url.path == "/price":
            self.price(urllib.parse.parse_qs(url.query))
        else:
            self.reply(404, {"error": "only /price?quantity=N and /healthz are here"})

    def price(self, query):
        try:
            quantity = int(query["quantity"][0])
        except (KeyError, ValueError):
            self.reply(400, {"error": "quantity must be a whole number, as in /price?quantity=100"})
            return
        price, rule = quote(quantity)
        self.reply(200, {"quantity": quantity, "unit_price": f"{price:.2f}", "rule": rule})

    def reply(self, status, answer):
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(answer).encode())


if __name__ == "__main__":
    server = HTTPServer(("", int(os.environ.get("PORT", "8080"))), Handler)
    print(f"price-service listens on port {server.server_port}", flush=True)
    server.serve_forever()
