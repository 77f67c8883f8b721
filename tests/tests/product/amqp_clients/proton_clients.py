"""AMQP clients on qpid-proton: one scenario between two routers.

Usage: proton_clients.py SCENARIO FROM TO [COUNT]      FROM, TO: amqp URLs of the sender's and the receiver's router
Ends with 0 and one line of what was seen, or with the assertion that failed.
"""

import sys
import time
import uuid

from proton import Delivery, Message, SSLDomain
from proton.handlers import MessagingHandler
from proton.reactor import AtMostOnce, Container
from proton.utils import BlockingConnection, SyncRequestResponse

LIMIT = 120


class Scenario(MessagingHandler):
    """Sends `count` numbered messages and collects what arrives and what is said of it."""

    def __init__(self, source, target, count, size=1024, options=None, prefetch=100, receivers=1, senders=1,
                 anonymous=False, address=None, auto_accept=True):
        super().__init__(prefetch=prefetch, auto_accept=auto_accept, auto_settle=True)
        self.urls, self.count, self.size, self.options = (source, target), count, size, options
        self.how_many, self.anonymous = (senders, receivers), anonymous
        self.address = address or f"queue-{uuid.uuid4()}"
        self.multicast = self.address.startswith("mc/")
        self.sent, self.received, self.outcomes = 0, [[] for _ in range(receivers)], {}
        self.attached, self.senders, self.receivers, self.done = 0, [], [], False
        self.padding = "x" * size

    def on_start(self, event):
        self.container = event.container
        self.deadline = event.container.schedule(LIMIT, self)
        self.target = event.container.connect(self.urls[1])
        for index in range(self.how_many[1]):
            receiver = event.container.create_receiver(self.target, self.address, name=f"r{index}-{uuid.uuid4()}")
            self.receivers.append(receiver)

    def on_link_opened(self, event):
        if event.receiver:
            self.attached += 1
            if self.attached == self.how_many[1]:
                self.all_attached(event)

    def all_attached(self, event):
        # A multicast message reaches only those whom the network knows already.
        event.container.schedule(2 if self.multicast or self.anonymous else 0, self)

    def on_timer_task(self, event):
        if self.senders:
            assert False, f"not over in time: {self.seen()}"
        connection = event.container.connect(self.urls[0])
        address = None if self.anonymous else self.address
        for index in range(self.how_many[0]):
            self.senders.append(event.container.create_sender(connection, address, name=f"s{index}-{uuid.uuid4()}",
                                                              options=self.options))

    def on_sendable(self, event):
        while event.sender.credit and self.sent < self.count:
            message = Message(id=self.sent, body=self.padding)
            if self.anonymous:
                message.address = self.address
            event.sender.send(message)
            self.sent += 1

    def on_message(self, event):
        assert len(event.message.body) == self.size, len(event.message.body)
        self.received[self.receivers.index(event.receiver)].append(event.message.id)
        self.look()

    def outcome(self, event, word):
        self.outcomes[word] = self.outcomes.get(word, 0) + 1
        self.look()

    def on_accepted(self, event):
        self.outcome(event, "accepted")

    def on_rejected(self, event):
        self.outcome(event, "rejected")

    def on_released(self, event):
        self.outcome(event, "modified" if event.delivery.remote_state == Delivery.MODIFIED else "released")

    def is_over(self):
        settled = self.options is not None or sum(self.outcomes.values()) == self.count
        if self.multicast:
            return settled and all(len(each) == self.count for each in self.received)
        return settled and sum(map(len, self.received)) == self.count

    def look(self):
        if self.sent == self.count and self.is_over() and not self.done:
            self.done = True
            self.container.stop()

    def seen(self):
        return f"sent {self.sent}, received {[len(each) for each in self.received]}, outcomes {self.outcomes}"

    def on_transport_error(self, event):
        assert False, event.transport.condition

    def on_link_error(self, event):
        assert False, event.link.remote_condition


def run(scenario):
    Container(scenario).run()
    assert scenario.done, scenario.seen()
    return scenario


def check_all(scenario):
    everything = sorted(number for each in scenario.received for number in each)
    assert everything == list(range(scenario.count)), "lost or doubled"


def unsettled(source, target, count):
    scenario = run(Scenario(source, target, count))
    assert scenario.received[0] == list(range(count)), "lost, doubled or out of order"
    assert scenario.outcomes == {"accepted": count}, scenario.outcomes
    return scenario


def presettled(source, target, count):
    scenario = run(Scenario(source, target, count, options=AtMostOnce()))
    assert scenario.received[0] == list(range(count)), "lost, doubled or out of order"
    return scenario


def few_presettled(source, target, count):
    """A real interior drops settled messages for which its receiver has no credit."""
    return presettled(source, target, 200)


def anonymous(source, target, count):
    scenario = run(Scenario(source, target, count, anonymous=True))
    check_all(scenario)
    return scenario


def large(source, target, count):
    scenario = run(Scenario(source, target, 3, size=20_000_000, prefetch=3))
    check_all(scenario)
    return scenario


def several(source, target, count):
    scenario = run(Scenario(source, target, count, senders=5, receivers=5))
    check_all(scenario)
    assert all(scenario.received), scenario.seen()
    return scenario


def balanced(source, target, count):
    scenario = run(Scenario(source, target, count, receivers=2, prefetch=10))
    check_all(scenario)
    shares = [len(each) for each in scenario.received]
    assert min(shares) > count / 10, shares
    return scenario


def multicast(source, target, count):
    scenario = run(Scenario(source, target, 100, receivers=3, address=f"mc/news-{uuid.uuid4()}"))
    for each in scenario.received:
        assert each == list(range(100)), each
    assert scenario.outcomes == {"accepted": 100}, scenario.outcomes
    return scenario


class Verdicts(Scenario):
    def on_message(self, event):
        verdict = [Delivery.ACCEPTED, Delivery.REJECTED, Delivery.RELEASED][event.message.id % 3]
        self.settle(event.delivery, verdict)
        super().on_message(event)


def verdicts(source, target, count):
    scenario = run(Verdicts(source, target, 30, auto_accept=False))
    assert scenario.outcomes == {"accepted": 10, "rejected": 10, "released": 10}, scenario.outcomes
    return scenario


class Slow(Scenario):
    """The receiver takes nothing until the sender has stood still for two seconds."""

    def __init__(self, *args):
        super().__init__(*args, prefetch=0)
        self.stood_at, self.at_most = -1, None

    def on_sendable(self, event):
        super().on_sendable(event)
        if self.stood_at < 0:
            self.stood_at = 0
            self.container.schedule(2, Watch(self))


class Watch:
    def __init__(self, scenario):
        self.scenario = scenario

    def on_timer_task(self, event):
        scenario = self.scenario
        if scenario.sent != scenario.stood_at:
            scenario.stood_at = scenario.sent
            scenario.container.schedule(2, self)
            return
        scenario.at_most = scenario.sent
        scenario.receivers[0].flow(scenario.count)


def slow(source, target, count):
    scenario = held(source, target, count)
    assert scenario.at_most < 3000, f"{scenario.at_most} messages went to routers that could not pass them on"
    return scenario


def held(source, target, count):
    """What a real interior does: it takes all that an edge sends, and keeps it."""
    scenario = run(Slow(source, target, 20_000))
    check_all(scenario)
    print(f"the sender stood still after {scenario.at_most} of {scenario.count}; ", end="")
    return scenario


class Answering(MessagingHandler):
    def __init__(self, url, address, count):
        super().__init__()
        self.url, self.address, self.count = url, address, count

    def on_start(self, event):
        connection = event.container.connect(self.url)
        event.container.create_receiver(connection, self.address)
        self.sender = event.container.create_sender(connection, None)

    def on_message(self, event):
        request = event.message
        self.sender.send(Message(address=request.reply_to, correlation_id=request.correlation_id, body=request.body))
        self.count -= 1
        if self.count == 0:
            event.container.schedule(1, self)

    def on_timer_task(self, event):
        event.container.stop()


def requests(source, target, count):
    import threading
    address, calls = f"service-{uuid.uuid4()}", 200
    thread = threading.Thread(target=Container(Answering(target, address, calls)).run)
    thread.start()
    connection = BlockingConnection(source, timeout=LIMIT)
    client = SyncRequestResponse(connection, address)
    for number in range(calls):
        assert client.call(Message(body=number)).body == number
    connection.close()
    thread.join()
    return f"{calls} answers on {client.reply_to.rsplit('.', 1)[0]}.*"


def certified(url, certificates):
    """One message to itself over TLS, authenticated by the certificate in a directory."""
    domain = SSLDomain(SSLDomain.MODE_CLIENT)
    domain.set_trusted_ca_db(f"{certificates}/ca.crt")
    domain.set_peer_authentication(SSLDomain.VERIFY_PEER_NAME)
    domain.set_credentials(f"{certificates}/tls.crt", f"{certificates}/tls.key", None)
    connection = BlockingConnection(url, timeout=30, ssl_domain=domain, allowed_mechs="EXTERNAL")
    receiver = connection.create_receiver("queue", credit=1)
    # Settled at once: nobody takes it while this thread waits for a verdict.
    connection.create_sender("queue", options=AtMostOnce()).send(Message(body="x"))
    assert receiver.receive(timeout=30).body == "x"
    connection.close()
    return "one message"


def main():
    name, source, target = sys.argv[1:4]
    count = int(sys.argv[4]) if len(sys.argv) > 4 else 2000
    began = time.time()
    seen = certified(source, target) if name == "certified" else globals()[name](source, target, count)
    print(f"{name}: {seen if isinstance(seen, str) else seen.seen()}, {time.time() - began:.1f} s")


main()
