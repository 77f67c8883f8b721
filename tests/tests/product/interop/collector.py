"""A collector of flow records on python-qpid-proton, as strict about types as the network's own.

Asks each source that it hears of for everything, and prints one JSON object a line: {"from": address, "record": {...}}
for a record, {"beacon": id}, {"heartbeat": id}, and {"wrong": words} for what the network's collector would drop or
fall over.
"""

import json
import sys

from proton import Message, symbol, uint, ulong
from proton.handlers import MessagingHandler
from proton.reactor import Container


def say(**words):
    print(json.dumps(words), flush=True)


def check(record):
    """The faults of a record: keys are uints, the kind a uint, all else a string or a ulong."""
    for key, value in record.items():
        if type(key) is not uint:
            yield f"key {key!r} is a {type(key).__name__}"
        elif key == 0 and type(value) is not uint:
            yield f"kind {value!r} is a {type(value).__name__}"
        elif key != 0 and type(value) not in (str, ulong):
            yield f"{key}: {value!r} is a {type(value).__name__}"


class Collector(MessagingHandler):
    def __init__(self, url):
        super().__init__()
        self.url = url
        self.asked = {}

    def on_start(self, event):
        self.connection = event.container.connect(self.url, allowed_mechs="ANONYMOUS")
        self.container = event.container
        self.container.create_receiver(self.connection, "mc/sfe.all")

    def on_sendable(self, event):
        direct = event.sender.target.address
        if self.asked[direct]:
            self.asked[direct] = False
            event.sender.send(Message(address=direct, subject="FLUSH"))

    def on_message(self, event):
        message = event.message
        said = message.properties or {}
        if any(type(key) is not symbol for key in said):
            say(wrong=f"{message.subject}: keys of application properties are not symbols")
        if message.subject == "BEACON":
            self.heard_of(said)
        elif message.subject == "HEARTBEAT":
            if type(said["now"]) is not ulong or message.address != "mc/sfe." + said["id"]:
                say(wrong=f"heartbeat {said!r} to {message.address}")
            say(heartbeat=said["id"])
        elif message.subject == "RECORD":
            if type(message.body) is not list:
                return say(wrong=f"records are a {type(message.body).__name__}")
            for record in message.body:
                for fault in check(record):
                    say(wrong=fault)
                say(**{"from": message.address, "record": {int(key): value for key, value in record.items()}})
        else:
            say(wrong=f"subject {message.subject!r}")

    def heard_of(self, said):
        if type(said["v"]) is not uint or said["address"] != "mc/sfe." + said["id"]:
            say(wrong=f"beacon {said!r}")
        say(beacon=said["id"])
        if said["direct"] not in self.asked:
            self.asked[said["direct"]] = True
            for address in (said["address"], said["address"] + ".flows"):
                self.container.create_receiver(self.connection, address)
            self.container.create_sender(self.connection, said["direct"])


try:
    Container(Collector(sys.argv[1])).run()
except KeyboardInterrupt:
    pass
