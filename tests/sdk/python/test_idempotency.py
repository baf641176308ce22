from svix.api import ApplicationCreateOptions, EndpointCreateOptions, MessageCreateOptions
from svix.models import ApplicationIn, EndpointIn, MessageIn

from case import Case, unique


class IdempotencyKeys(Case):
    def setUp(self):
        super().setUp()
        self.app = self.application()
        self.type = self.event_type()
        self.key = unique("key")

    def create_message(self, app, key):
        message = MessageIn(event_type=self.type, payload={"amount": 12})
        return self.svix.message.create(app.id, message, MessageCreateOptions(idempotency_key=key))

    def create_endpoint(self, key, url):
        return self.svix.endpoint.create(self.app.id, EndpointIn(url=url), EndpointCreateOptions(idempotency_key=key))

    def test_make_one_message_of_two_requests(self):
        to = self.receiver()
        self.endpoint(self.app, to.url)

        first, second = (self.create_message(self.app, self.key) for _ in range(2))

        self.assertEqual(first, second)
        self.assertEqual([message.id for message in self.svix.message.list(self.app.id).data], [first.id])
        to.wait_for_message(self.message(self.app, self.type))
        self.assertEqual(to.ids().count(first.id), 1)

    def test_make_one_application_of_two_requests(self):
        options = ApplicationCreateOptions(idempotency_key=self.key)
        wanted = ApplicationIn(name="Acme", uid=unique("acme"))

        first, second = (self.svix.application.create(wanted, options) for _ in range(2))

        self.assertEqual(first, second)

    def test_make_one_endpoint_of_two_requests(self):
        first, second = (self.create_endpoint(self.key, "http://127.0.0.1:9/") for _ in range(2))

        self.assertEqual(first, second)
        self.assertEqual([endpoint.id for endpoint in self.svix.endpoint.list(self.app.id).data], [first.id])

    def test_are_for_one_operation_of_one_application(self):
        first = self.create_message(self.app, self.key)
        second = self.create_message(self.application(), self.key)
        endpoint = self.create_endpoint(self.key, "http://127.0.0.1:9/")

        self.assertEqual(len({first.id, second.id, endpoint.id}), 3)

    def test_of_a_request_that_was_refused_are_free_again(self):
        with self.invalid("body", "url"):
            self.create_endpoint(self.key, "no url")

        self.assertEqual(self.create_endpoint(self.key, "http://127.0.0.1:9/").url, "http://127.0.0.1:9/")

    def test_that_differ_make_two_messages(self):
        first, second = (self.create_message(self.app, unique("key")) for _ in range(2))

        self.assertNotEqual(first.id, second.id)
