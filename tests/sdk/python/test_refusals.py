from svix.api import EndpointListOptions, MessageListOptions
from svix.exceptions import HTTPValidationError
from svix.models import ApplicationIn, EndpointHeadersIn, EndpointIn

from case import Case, unique


class Refusals(Case):
    def setUp(self):
        super().setUp()
        self.app = self.application()

    def test_say_that_there_is_no_such_thing(self):
        endpoint, name = self.endpoint(self.app), unique("nobody")

        for attempt in (
            lambda: self.svix.application.get(name),
            lambda: self.svix.endpoint.get(self.app.id, name),
            lambda: self.svix.endpoint.get_headers(self.app.id, name),
            lambda: self.svix.endpoint.get_secret(self.app.id, name),
            lambda: self.svix.endpoint.get_stats(self.app.id, name),
            lambda: self.svix.endpoint.delete(self.app.id, name),
            lambda: self.svix.event_type.get(name),
            lambda: self.svix.event_type.delete(name),
            lambda: self.svix.message.get(self.app.id, name),
            lambda: self.svix.message_attempt.list_by_msg(self.app.id, name),
            lambda: self.svix.message_attempt.list_by_endpoint(self.app.id, name),
            lambda: self.svix.message_attempt.list_attempted_messages(self.app.id, name),
            lambda: self.svix.message_attempt.list_attempted_destinations(self.app.id, name),
            lambda: self.svix.message_attempt.resend(self.app.id, name, endpoint.id),
        ):
            with self.refused(404, "not_found"):
                attempt()

    def test_name_the_field_of_an_application(self):
        with self.invalid("body", "name"):
            self.svix.application.create(ApplicationIn(name=""))
        with self.invalid("body", "uid", "__all__"):
            self.svix.application.create(ApplicationIn(name="Acme", uid="with a space"))
        with self.invalid("body", "uid", "__all__"):
            self.svix.application.create(ApplicationIn(name="Acme", uid="a" * 257))

    def test_name_the_field_of_an_endpoint(self):
        for url in ("no url", ""):
            with self.subTest(url), self.invalid("body", "url"):
                self.endpoint(self.app, url)
        with self.invalid("body", "key", "__all__"):
            self.endpoint(self.app, secret="whsec_tooshort")
        with self.invalid("body", "uid", "__all__"):
            self.endpoint(self.app, uid="with a space")

    def test_name_the_field_of_a_message(self):
        with self.invalid("body", "event_type", "__all__"):
            self.message(self.app, "with a space")
        with self.invalid("body", "uid", "__all__"):
            self.message(self.app, self.event_type(), event_id="with a space")

    def test_name_a_missing_field(self):
        no_url = EndpointIn.model_construct(_fields_set={"description"}, description="No URL")

        with self.assertRaises(HTTPValidationError) as refusal:
            self.svix.endpoint.create(self.app.id, no_url)
        [problem] = refusal.exception.detail
        self.assertEqual(problem.loc[0], "body")
        self.assertIn("url", [*problem.loc, *problem.msg.replace("`", " ").split()])

    def test_name_the_parameter_of_a_list(self):
        with self.invalid("query", "limit", "limit"):
            self.svix.message.list(self.app.id, MessageListOptions(limit=251))
        with self.invalid("query", "limit", "limit"):
            self.svix.endpoint.list(self.app.id, EndpointListOptions(limit=251))

    def test_keep_headers_of_the_servers_own_from_endpoints(self):
        to = self.endpoint(self.app)

        for name in ("content-type", "user-agent", "svix-id", "x-amz-date"):
            with self.subTest(name), self.assertRaises(HTTPValidationError):
                self.svix.endpoint.set_headers(self.app.id, to.id, EndpointHeadersIn(headers={name: "mine"}))

    def test_set_a_limit_to_payloads(self):
        with self.refused(413, "payload_too_large"):
            self.message(self.app, self.event_type(), {"text": "a" * 3 * 1024 * 1024})
        self.assertEqual(self.svix.message.list(self.app.id).data, [])
