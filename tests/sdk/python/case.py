"""What every test starts from: a client, and applications, event types, endpoints and receivers of the test's own."""

import unittest
import uuid
from contextlib import contextmanager

from svix.exceptions import HTTPValidationError, HttpError
from svix.models import ApplicationIn, EndpointIn, EventTypeIn, MessageIn

import server
from patience import eventually
from receiver import Receiver


def unique(word):
    return f"{word}-{uuid.uuid4().hex[:16]}"


class Case(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        self.svix = server.client()

    def application(self, **fields):
        return self.svix.application.create(ApplicationIn(**{"name": "Acme", **fields}))

    def event_type(self, **fields):
        """The name of a new event type."""
        fields = {"name": unique("invoice.paid"), "description": "An invoice was paid", **fields}
        return self.svix.event_type.create(EventTypeIn(**fields)).name

    def receiver(self, *statuses, **options):
        receiver = Receiver(statuses or (200,), **options)
        self.addCleanup(receiver.close)
        return receiver

    def endpoint(self, app, url="http://127.0.0.1:9/", **fields):
        return self.svix.endpoint.create(app.id, EndpointIn(url=url, **fields))

    def message(self, app, event_type, payload=None, **fields):
        message = MessageIn(event_type=event_type, payload=payload or {"amount": 12}, **fields)
        return self.svix.message.create(app.id, message)

    def attempts(self, app, message, count):
        """The attempts at a message, newest first, once there are `count`."""

        def enough():
            listed = self.svix.message_attempt.list_by_msg(app.id, message.id).data
            return listed if len(listed) >= count else None

        return eventually(f"attempt {count} at {message.id}", enough)

    @contextmanager
    def refused(self, status, code):
        """What happens inside is refused with this status and this code, and with something to read."""
        with self.assertRaises(HttpError) as refusal:
            yield
        self.assertEqual((refusal.exception.status_code, refusal.exception.code), (status, code))
        self.assertTrue(refusal.exception.detail)

    @contextmanager
    def invalid(self, *place):
        """What happens inside is refused because of what stands at this place of the request, and says so."""
        with self.assertRaises(HTTPValidationError) as refusal:
            yield
        self.assertEqual(refusal.exception.status_code, 422)
        problems = {tuple(problem.loc): problem for problem in refusal.exception.detail}
        self.assertIn(place, problems)
        self.assertTrue(problems[place].msg)
        self.assertTrue(problems[place].type)
