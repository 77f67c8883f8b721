"""A peer on python-qpid-proton for tests/proton.rs. Prints one line per thing that came to pass, then `done`."""

import sys

from proton import Condition, Message
from proton.handlers import MessagingHandler
from proton.reactor import Container

SIZES = [1, 10 * 1024, 1024 * 1024]


def text(size):
    return "".join(chr(97 + (at * 7 + at // 977) % 26) for at in range(size))


class ClientOfBroker(MessagingHandler):
    """Sends to every outcome, then takes messages, drains, is refused and detached."""

    def __init__(self, url, user, password):
        super().__init__(prefetch=0, auto_accept=False)
        self.url, self.user, self.password = url, user, password
        self.waiting = [(address, size) for address in ("accept", "reject", "release", "modify") for size in SIZES]
        self.senders = {}
        self.taken = 0

    def on_start(self, event):
        mechanism = "PLAIN" if self.user else "ANONYMOUS"
        self.connection = event.container.connect(
            self.url, user=self.user, password=self.password, allowed_mechs=mechanism,
            allow_insecure_mechs=True, reconnect=False)
        for address in ("accept", "reject", "release", "modify"):
            self.senders[address] = event.container.create_sender(self.connection, address)

    def on_sendable(self, event):
        while self.waiting and event.sender.credit and event.sender.target.address == self.waiting[0][0]:
            event.sender.send(Message(text(self.waiting.pop(0)[1])))

    def on_settled(self, event):
        address = event.link.target.address
        print("outcome", address, event.delivery.remote_state, flush=True)
        self.settled = getattr(self, "settled", 0) + 1
        for sender in self.senders.values():
            self.on_sendable(type("Turn", (), {"sender": sender}))
        if self.settled == 12:
            self.receiver = event.container.create_receiver(self.connection, "6:70000")
            self.receiver.flow(10)

    def on_message(self, event):
        assert event.message.body == text(70000)
        if self.taken == 1:
            self.reject(event.delivery)
        elif self.taken == 2:
            self.release(event.delivery, delivered=False)
        else:
            self.accept(event.delivery)
        self.taken += 1
        if self.taken == 6:
            event.receiver.drain(0)

    def on_link_flow(self, event):
        # All that was given is used up: the drain is answered.
        link = event.link
        if link.is_receiver and self.taken == 6 and link.credit == 0 and not getattr(self, "drained", False):
            self.drained = True
            print("drained", flush=True)
            event.container.create_sender(self.connection, "nowhere")

    def on_link_error(self, event):
        print("link", event.link.remote_condition.name, flush=True)
        event.connection.close()

    def on_connection_closed(self, event):
        print("done", flush=True)

    def on_transport_error(self, event):
        print("transport", event.transport.condition, flush=True)


class Queue(MessagingHandler):
    """A server: accepts what it is sent and gives messages of SIZES."""

    def __init__(self, url):
        super().__init__(prefetch=10)
        self.url = url
        self.left = list(SIZES)

    def on_start(self, event):
        self.acceptor = event.container.listen(self.url)
        print("listening", flush=True)

    def on_link_opening(self, event):
        event.link.source.address = event.link.remote_source.address
        event.link.target.address = event.link.remote_target.address

    def on_sendable(self, event):
        while self.left and event.sender.credit:
            event.sender.send(Message(text(self.left.pop(0))))

    def on_message(self, event):
        assert event.message.body == text(len(event.message.body))
        print("received", len(event.message.body), flush=True)

    def on_accepted(self, event):
        print("outcome accepted", flush=True)

    def on_connection_closed(self, event):
        print("done", flush=True)
        self.acceptor.close()


role, address = sys.argv[1:3]
if role == "client":
    user, password = sys.argv[3:5] if len(sys.argv) > 3 else (None, None)
    Container(ClientOfBroker(address, user, password)).run()
else:
    Container(Queue(address)).run()
