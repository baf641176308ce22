from urllib.parse import urlparse

from svix.models import ApplicationIn, AppPortalAccessIn, EndpointIn, EventTypeIn, MessageIn

import server
from case import Case, unique


class Tokens(Case):
    def test_that_are_unknown_are_refused(self):
        stranger = server.client("fp_" + "0" * 40)

        with self.refused(401, "authentication_failed"):
            stranger.application.list()

    def test_are_never_logged_out(self):
        with self.refused(501, "not_implemented"):
            self.svix.authentication.logout()


class ApplicationTokens(Case):
    def setUp(self):
        super().setUp()
        self.app = self.application(uid=unique("acme"))
        self.access = self.svix.authentication.app_portal_access(self.app.uid, AppPortalAccessIn())
        self.customer = server.client(self.access.token)

    def test_come_with_a_url(self):
        self.assertTrue(self.access.token)
        self.assertIn(urlparse(self.access.url).scheme, ("http", "https"))

    def test_see_their_application(self):
        self.assertEqual(self.customer.application.get(self.app.id), self.app)
        self.assertEqual(self.customer.application.get(self.app.uid), self.app)

    def test_manage_its_endpoints(self):
        made = self.customer.endpoint.create(self.app.id, EndpointIn(url=self.receiver().url))

        self.assertEqual([endpoint.id for endpoint in self.customer.endpoint.list(self.app.id).data], [made.id])
        self.assertTrue(self.customer.endpoint.get_secret(self.app.id, made.id).key)
        self.customer.endpoint.delete(self.app.id, made.id)
        self.assertEqual(self.svix.endpoint.list(self.app.id).data, [])

    def test_look_at_its_messages_and_send_them_again(self):
        to = self.receiver()
        endpoint = self.endpoint(self.app, to.url)
        message = self.message(self.app, self.event_type())
        [attempt] = self.attempts(self.app, message, 1)

        self.assertEqual([seen.id for seen in self.customer.message.list(self.app.id).data], [message.id])
        self.assertEqual(self.customer.message.get(self.app.id, message.id).id, message.id)
        self.assertEqual(
            [seen.id for seen in self.customer.message_attempt.list_by_endpoint(self.app.id, endpoint.id).data],
            [attempt.id],
        )
        self.customer.message_attempt.resend(self.app.id, message.id, endpoint.id)
        to.wait_for(2)

    def test_read_the_event_types(self):
        name = self.event_type()

        self.assertEqual(self.customer.event_type.get(name).name, name)

    def test_do_not_know_other_applications(self):
        other = self.application(uid=unique("other"))
        endpoint = self.endpoint(other)

        for attempt in (
            lambda: self.customer.application.get(other.id),
            lambda: self.customer.application.get(other.uid),
            lambda: self.customer.endpoint.list(other.id),
            lambda: self.customer.endpoint.get_secret(other.id, endpoint.id),
            lambda: self.customer.message.list(other.id),
        ):
            with self.refused(404, "not_found"):
                attempt()

    def test_do_nothing_that_is_for_the_organization(self):
        name = self.event_type()
        message = self.message(self.app, name)

        for attempt in (
            lambda: self.customer.application.list(),
            lambda: self.customer.application.create(ApplicationIn(name="Mine")),
            lambda: self.customer.application.delete(self.app.id),
            lambda: self.customer.authentication.app_portal_access(self.app.id, AppPortalAccessIn()),
            lambda: self.customer.event_type.create(EventTypeIn(name=unique("mine"), description="Mine")),
            lambda: self.customer.event_type.delete(name),
            lambda: self.customer.message.create(self.app.id, MessageIn(event_type=name, payload={})),
        ):
            with self.refused(403, "insufficient access"):
                attempt()

    def test_bring_their_application_with_them(self):
        new = ApplicationIn(name="New", uid=unique("new"))

        access = self.svix.authentication.app_portal_access(new.uid, AppPortalAccessIn(application=new))

        self.assertEqual(server.client(access.token).application.get(new.uid).name, "New")
