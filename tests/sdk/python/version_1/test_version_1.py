"""The SDK before its second version, whose endpoints have `filter_types` and a version."""

from svix.models import EndpointHeadersPatchIn, EndpointPatch, EndpointSecretRotateIn, EndpointUpdate
from svix.webhooks import Webhook

from case import Case, unique


class VersionOne(Case):
    def setUp(self):
        super().setUp()
        self.app = self.application(uid=unique("acme"), rate_limit=30)
        self.type = self.event_type()

    def test_knows_the_limit_of_an_application_by_its_old_name(self):
        self.assertEqual(self.svix.application.get(self.app.uid).rate_limit, 30)

    def test_filters_by_filter_types(self):
        to = self.receiver()
        made = self.endpoint(self.app, to.url, filter_types=[self.type], version=1)
        self.assertEqual(made.filter_types, [self.type])
        self.assertIsInstance(made.version, int)

        unwanted = self.message(self.app, self.event_type())
        wanted = self.message(self.app, self.type)

        to.wait_for_message(wanted)
        self.assertNotIn(unwanted.id, to.ids())

    def test_changes_filter_types(self):
        made = self.endpoint(self.app, filter_types=[self.type])
        other = self.event_type()

        patched = self.svix.endpoint.patch(self.app.id, made.id, EndpointPatch(filter_types=[other]))
        self.assertEqual(patched.filter_types, [other])

        cleared = self.svix.endpoint.patch(self.app.id, made.id, EndpointPatch(filter_types=None))
        self.assertIsNone(cleared.filter_types)

        update = EndpointUpdate(url=made.url, filter_types=[self.type])
        self.assertEqual(self.svix.endpoint.update(self.app.id, made.id, update).filter_types, [self.type])

    def test_rotates_secrets(self):
        to = self.receiver()
        made = self.endpoint(self.app, to.url)
        old = self.svix.endpoint.get_secret(self.app.id, made.id).key

        self.assertIsNone(self.svix.endpoint.rotate_secret(self.app.id, made.id, EndpointSecretRotateIn()))

        request = to.wait_for_message(self.message(self.app, self.type))
        for secret in (old, self.svix.endpoint.get_secret(self.app.id, made.id).key):
            Webhook(secret).verify(request.body, request.headers)

    def test_patches_headers(self):
        made = self.endpoint(self.app)
        for patch in ({"headers": {"shade": "blue"}}, {"headers": {}, "delete_headers": ["shade"]}):
            self.svix.endpoint.patch_headers(self.app.id, made.id, EndpointHeadersPatchIn(**patch))

        self.assertEqual(self.svix.endpoint.get_headers(self.app.id, made.id).headers, {})

    def test_follows_a_message_to_its_destination(self):
        to = self.endpoint(self.app, self.receiver().url, filter_types=[self.type])
        message = self.message(self.app, self.type)
        [attempt] = self.attempts(self.app, message, 1)

        self.assertEqual((attempt.endpoint_id, attempt.response_status_code), (to.id, 200))
        [destination] = self.svix.message_attempt.list_attempted_destinations(self.app.id, message.id).data
        self.assertEqual((destination.id, destination.filter_types), (to.id, [self.type]))
        self.assertIsInstance(destination.version, int)
        [seen] = self.svix.message_attempt.list_attempted_messages(self.app.id, to.id).data
        self.assertEqual((seen.id, seen.payload), (message.id, {"amount": 12}))
