import base64
import secrets

from svix.models import EndpointSecretRotateIn
from svix.webhooks import Webhook, WebhookVerificationError

from case import Case


def new_secret():
    return "whsec_" + base64.b64encode(secrets.token_bytes(24)).decode()


class Secrets(Case):
    def setUp(self):
        super().setUp()
        self.app = self.application()
        self.receiving = self.receiver()

    def secret_of(self, endpoint):
        return self.svix.endpoint.get_secret(self.app.id, endpoint.id).key

    def rotate(self, endpoint, **how):
        return self.svix.endpoint.rotate_secret(self.app.id, endpoint.id, EndpointSecretRotateIn(**how))

    def assert_signed(self, request, secret):
        Webhook(secret).verify(request.body, request.headers)

    def assert_not_signed(self, request, secret):
        with self.assertRaises(WebhookVerificationError):
            Webhook(secret).verify(request.body, request.headers)

    def delivered(self):
        return self.receiving.wait_for_message(self.message(self.app, self.event_type()))

    def test_are_taken_as_given(self):
        secret = new_secret()
        endpoint = self.endpoint(self.app, self.receiving.url, secret=secret)

        self.assertEqual(self.secret_of(endpoint), secret)
        self.assert_signed(self.delivered(), secret)

    def test_are_made_where_none_is_given(self):
        first, second = (self.endpoint(self.app, f"{self.receiving.url}/{n}") for n in range(2))

        self.assertRegex(self.secret_of(first), "^whsec_[a-zA-Z0-9+/=]{32,100}$")
        self.assertNotEqual(self.secret_of(first), self.secret_of(second))

    def test_are_made_anew_when_they_rotate(self):
        endpoint = self.endpoint(self.app, self.receiving.url)
        old = self.secret_of(endpoint)

        rotated = self.rotate(endpoint)

        self.assertNotEqual(rotated.key, old)
        self.assertEqual(rotated.key, self.secret_of(endpoint))

    def test_sign_together_for_a_while_after_they_rotate(self):
        endpoint = self.endpoint(self.app, self.receiving.url)
        old, new = self.secret_of(endpoint), new_secret()

        self.rotate(endpoint, key=new, grace_period_seconds=3600)

        self.assertEqual(self.secret_of(endpoint), new)
        request = self.delivered()
        self.assert_signed(request, old)
        self.assert_signed(request, new)

    def test_sign_no_more_where_there_is_no_grace(self):
        endpoint = self.endpoint(self.app, self.receiving.url)
        old, new = self.secret_of(endpoint), new_secret()

        self.rotate(endpoint, key=new, grace_period_seconds=0)

        request = self.delivered()
        self.assert_not_signed(request, old)
        self.assert_signed(request, new)
