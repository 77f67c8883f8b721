"""A site's service controller on python-qpid-proton, for service sync: hears announcements, and makes one of its own.

    controller.py URL [ORIGIN SERVICES]

Prints one JSON object a line: {"hears": 1} when it listens, {"outcome": ...} for its own announcement, and for each that
it hears {"sections": [...], "subject", "said", "body", "wrong": [...]}; "wrong" is what a controller would fall over.
SERVICES is a JSON list, announced each second, byte for byte as controllers lay it out.
"""

import json
import struct
import sys

from proton import Data, Delivery, Endpoint, Message
from proton.handlers import MessagingHandler
from proton.reactor import Container

ADDRESS = "mc/$skupper-service-sync"
SUBJECT = "service-sync-update-v2"
SECTIONS = {0x70: "header", 0x71: "delivery-annotations", 0x72: "message-annotations", 0x73: "properties",
            0x74: "application-properties", 0x75: "data", 0x76: "sequence", 0x77: "value", 0x78: "footer"}


def say(**words):
    print(json.dumps(words), flush=True)


def string(text):
    text = text.encode()
    return (bytes([0xA1, len(text)]) if len(text) < 256 else b"\xb1" + struct.pack(">I", len(text))) + text


def compound(code, items):
    packed = b"".join(items)
    return bytes([code]) + struct.pack(">II", len(packed) + 4, len(items)) + packed


def announcement(origin, services):
    said = {"origin": origin, "version": "1.8.7"}
    pairs = [string(text) for pair in said.items() for text in pair]
    sections = {0x73: compound(0xD0, [b"\x40", b"\x40", b"\x40", string(SUBJECT)]),
                0x74: compound(0xD1, pairs), 0x77: string(services)}
    return b"".join(bytes([0, 0x53, code]) + value for code, value in sections.items())


def sections(raw):
    """Which sections there are, with their values."""
    data, found = Data(), []
    while raw:
        raw = raw[data.decode(raw):]
    data.rewind()
    while data.next():
        described = data.get_py_described()
        found.append((SECTIONS[int(described.descriptor)], described.value))
    return found


def faults(found):
    """What a controller does not take: it looks for strings, and needs properties."""
    if not isinstance(found.get("properties"), list):
        yield "no properties"
    said = found.get("application-properties", {})
    for key in ("origin", "version"):
        if type(said.get(key)) is not str:
            yield f"{key} is a {type(said.get(key)).__name__}"
    for key in said:
        if type(key) is not str:
            yield f"key {key!r} is a {type(key).__name__}"
    if type(found.get("value")) is not str:
        yield f"the body is a {type(found.get('value')).__name__}"


class Controller(MessagingHandler):
    def __init__(self, url, announces):
        # As controllers do: ten credits, and each message is accepted when it is there.
        super().__init__(prefetch=10)
        self.url, self.announces, self.sent = url, announces, 0

    def on_start(self, event):
        self.connection = event.container.connect(self.url, allowed_mechs="ANONYMOUS")
        event.container.create_receiver(self.connection, ADDRESS)
        if self.announces:
            self.sender = event.container.create_sender(self.connection, ADDRESS)

    def on_link_opened(self, event):
        if event.link.is_receiver:
            say(hears=1)
        else:
            event.container.schedule(0, self)

    def on_timer_task(self, event):
        if self.sender.state & Endpoint.REMOTE_ACTIVE and self.sender.credit:
            self.sent += 1
            self.sender.delivery(str(self.sent))
            self.sender.send(announcement(*self.announces))
            self.sender.advance()
        event.container.schedule(1, self)

    def on_accepted(self, event):
        say(outcome="accepted")

    def on_released(self, event):
        say(outcome="released")

    def on_delivery(self, event):
        # The bytes, before they are taken apart.
        if event.link.is_receiver and event.delivery.readable and not event.delivery.partial:
            raw = event.link.recv(event.delivery.pending)
            event.link.advance()
            event.delivery.update(Delivery.ACCEPTED)
            event.delivery.settle()
            self.hear(raw)

    def hear(self, raw):
        found = sections(raw)
        known = dict(found)
        message = Message()
        message.decode(raw)
        say(sections=[name for name, _ in found], subject=message.subject, said=known.get("application-properties"),
            body=known.get("value"), properties=[field for field in known.get("properties", []) if field is not None],
            wrong=list(faults(known)))


try:
    Container(Controller(sys.argv[1], sys.argv[2:4])).run()
except KeyboardInterrupt:
    pass
