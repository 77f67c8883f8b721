"""Asks a router to create or delete an entity: HOST:PORT OPERATION KIND NAME ATTRIBUTES (JSON)."""

import json
import sys

from proton import Message
from proton.utils import BlockingConnection, SyncRequestResponse

place, operation, kind, name, attributes = sys.argv[1:]
connection = BlockingConnection(f"amqp://{place}", timeout=30)
asked = {"operation": operation, "type": f"io.skupper.router.{kind}", "name": name}
answer = SyncRequestResponse(connection, "$management").call(Message(properties=asked, body=json.loads(attributes)))
print(answer.properties["statusCode"], answer.properties.get("statusDescription"))
connection.close()
sys.exit(0 if answer.properties["statusCode"] in (201, 204) else 1)
