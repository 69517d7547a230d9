"""A page with one form and one button: pressing it publishes a new price rule to the share "rules".

The rule is a Python module. Whoever consumes the share imports it, without a deployment and without a restart.
"""

import html
import os
import pathlib
import tempfile
import urllib.parse
from http.server import BaseHTTPRequestHandler, HTTPServer

SHARE = pathlib.Path(os.environ["PODSHARE_RULES_DIR"])  # set by podshare: where the share is mounted

PAGE = """<!doctype html>
<title>Price rule</title>
<form method="post">
  <label>Discount in percent <input name="percent" type="number" min="0" max="100" value="10"></label>
  <label>from a quantity of <input name="quantity" type="number" min="1" value="50"></label>
  <button>Publish</button>
</form>
<p>{message}</p>
"""

MODULE = '''"""The price rule, published by rule-editor."""

NAME = "{percent} % off from {quantity} pieces"


def unit_price(list_price, quantity):
    """Return the price of one piece when `quantity` pieces are ordered."""
    return list_price * (100 - {percent}) / 100 if quantity >= {quantity} else list_price
'''


def publish(percent, quantity):
    """Replace the module price_rule: at any moment an importer finds the old one or the new one, never half of one."""
    if not (0 <= percent <= 100 and quantity >= 1):
        raise ValueError(f"a discount of {percent} % from {quantity} pieces: must be 0 to 100 %, from 1 piece or more")
    # A temporary name on the share itself: only within one file system is a rename a single step.
    with tempfile.NamedTemporaryFile("w", dir=SHARE, prefix=".price_rule-", delete=False) as file:
        file.write(MODULE.format(percent=percent, quantity=quantity))
        file.flush()
        os.fsync(file.fileno())
    os.chmod(file.name, 0o644)  # the consumers may run as other users
    os.replace(file.name, SHARE / "price_rule.py")


class Handler(BaseHTTPRequestHandler):
    """The page, and its button."""

    def do_GET(self):
        self.reply(200, "Change the rule, then press the button.")

    def do_POST(self):
        form = urllib.parse.parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        try:
            publish(int(form["percent"][0]), int(form["quantity"][0]))
        except (KeyError, ValueError) as error:
            self.reply(400, f"Not published: {error}")
        else:
            self.reply(200, "Published.")

    def reply(self, status, message):
        self.send_response(status)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.end_headers()
        self.wfile.write(PAGE.format(message=html.escape(message)).encode())


if __name__ == "__main__":
    server = HTTPServer(("", int(os.environ.get("PORT", "8080"))), Handler)
    print(f"rule-editor listens on port {server.server_port}", flush=True)
    server.serve_forever()
