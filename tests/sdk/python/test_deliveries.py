import json

from svix.api.message import message_in_raw
from svix.models import EndpointPatch, MessageIn
from svix.webhooks import Webhook, WebhookVerificationError

from case import Case

PAYLOAD = {"z": 1, "a": [1.50, 1e100, -0.0], "text": "Grüße, 東京 \u2028 \"quoted\" \\ / \u0007", "none": None, "": {}}


class Deliveries(Case):
    def setUp(self):
        super().setUp()
        self.app = self.application()
        self.type = self.event_type()
        self.receiving = self.receiver()

    def delivered(self, **options):
        """A message's request, and the secret of the endpoint where it arrived."""
        to = self.endpoint(self.app, self.receiving.url)
        message = self.message(self.app, self.type, **options)
        secret = self.svix.endpoint.get_secret(self.app.id, to.id).key
        return message, self.receiving.wait_for_message(message), secret

    def test_carry_the_payload_byte_for_byte(self):
        self.endpoint(self.app, self.receiving.url)
        message = MessageIn(event_type=self.type, payload=PAYLOAD)
        sent = message.model_dump_json(exclude_unset=True, by_alias=True).encode()

        made = self.svix.message.create(self.app.id, message)

        body = self.receiving.wait_for_message(made).body
        self.assertEqual(json.loads(body), PAYLOAD)
        self.assertIn(b'"payload":' + body + b"}", sent)

    def test_carry_a_raw_payload_byte_for_byte(self):
        self.endpoint(self.app, self.receiving.url)
        raw = '{ "amount" : 1.50,\n\t"text": "Gr\\u00fc\u00dfe", "amount": 2 }\n'

        made = self.svix.message.create(self.app.id, message_in_raw(self.type, raw))

        self.assertEqual(self.receiving.wait_for_message(made).body, raw.encode())

    def test_are_json_posted_to_the_url(self):
        _, request, _ = self.delivered()

        self.assertEqual((request.method, request.path), ("POST", "/hook"))
        self.assertEqual(request.headers["content-type"], "application/json")

    def test_are_known_by_the_id_of_the_message(self):
        message, request, _ = self.delivered()

        for brand in ("svix", "webhook"):
            self.assertEqual(request.headers_of(brand)[f"{brand}-id"], message.id)

    def test_verify_by_the_headers_of_either_name_alone(self):
        _, request, secret = self.delivered()

        for brand in ("svix", "webhook"):
            with self.subTest(brand):
                Webhook(secret).verify(request.body, request.headers_of(brand))

    def test_verify_only_as_they_were_sent(self):
        _, request, secret = self.delivered()

        for brand in ("svix", "webhook"):
            with self.subTest(brand), self.assertRaises(WebhookVerificationError):
                Webhook(secret).verify(request.body + b" ", request.headers_of(brand))

    def test_are_tried_again_under_the_same_id(self):
        self.receiving.answer_with(500, 503, 204)
        message, _, secret = self.delivered()

        requests = self.receiving.wait_for(3)

        self.assertEqual({request.headers["svix-id"] for request in requests}, {message.id})
        self.assertEqual(len({request.body for request in requests}), 1)
        for request in requests:
            Webhook(secret).verify(request.body, request.headers)

    def assert_arrives_only(self, wanted, unwanted):
        """Of two messages, sent in turn, the second alone arrives at the receiver, where a third follows it."""
        made = [self.message(self.app, **fields) for fields in (unwanted, wanted, wanted)]

        for message in made[1:]:
            self.receiving.wait_for_message(message)
        self.assertNotIn(made[0].id, self.receiving.ids())

    def test_are_of_the_event_types_that_the_endpoint_asked_for(self):
        other = self.event_type()
        self.endpoint(self.app, self.receiving.url, event_types=[self.type])

        self.assert_arrives_only(wanted={"event_type": self.type}, unwanted={"event_type": other})

    def test_are_of_the_channels_that_the_endpoint_asked_for(self):
        self.endpoint(self.app, self.receiving.url, channels=["a", "b"])

        self.assert_arrives_only(
            wanted={"event_type": self.type, "channels": ["c", "b"]},
            unwanted={"event_type": self.type, "channels": ["c"]},
        )

    def test_without_a_channel_go_to_no_endpoint_that_asked_for_one(self):
        self.endpoint(self.app, self.receiving.url, channels=["a"])

        self.assert_arrives_only(
            wanted={"event_type": self.type, "channels": ["a"]},
            unwanted={"event_type": self.type},
        )

    def test_go_to_no_endpoint_that_is_disabled(self):
        to = self.endpoint(self.app, self.receiving.url, disabled=True)
        missed = self.message(self.app, self.type)

        self.svix.endpoint.patch(self.app.id, to.id, EndpointPatch(disabled=False))
        arrived = self.message(self.app, self.type)

        self.receiving.wait_for_message(arrived)
        self.assertNotIn(missed.id, self.receiving.ids())

    def test_go_to_the_endpoints_of_one_application(self):
        self.endpoint(self.application(), self.receiving.url)
        to = self.receiver()
        self.endpoint(self.app, to.url)

        to.wait_for_message(self.message(self.app, self.type))
        self.assertEqual(self.receiving.requests(), [])

    def test_follow_an_endpoint_to_its_new_url(self):
        to = self.endpoint(self.app, self.receiving.url)
        new = self.receiver()

        self.svix.endpoint.patch(self.app.id, to.id, EndpointPatch(url=new.url))

        new.wait_for_message(self.message(self.app, self.type))
        self.assertEqual(self.receiving.requests(), [])
