from svix.models import EndpointHeadersIn, EndpointHeadersPatchIn

from case import Case


class EndpointHeaders(Case):
    def setUp(self):
        super().setUp()
        self.app = self.application()
        self.receiving = self.receiver()
        self.to = self.endpoint(self.app, self.receiving.url)

    def set_headers(self, **headers):
        self.svix.endpoint.set_headers(self.app.id, self.to.id, EndpointHeadersIn(headers=headers))

    def headers(self):
        """Those that are shown, and the names of those that are not."""
        shown = self.svix.endpoint.get_headers(self.app.id, self.to.id)
        lowered = {name.lower(): value for name, value in shown.headers.items()}
        return lowered, [name.lower() for name in shown.sensitive]

    def delivered_headers(self):
        message = self.message(self.app, self.event_type())
        return self.receiving.wait_for_message(message).headers

    def test_are_none_at_first(self):
        self.assertEqual(self.headers(), ({}, []))

    def test_are_sent_with_every_message(self):
        self.set_headers(shade="blue", size="12")

        self.assertEqual(self.headers(), ({"shade": "blue", "size": "12"}, []))
        delivered = self.delivered_headers()
        self.assertEqual((delivered["shade"], delivered["size"]), ("blue", "12"))

    def test_are_replaced_by_those_that_are_set(self):
        self.set_headers(shade="blue", size="12")
        self.set_headers(shade="red")

        self.assertEqual(self.headers(), ({"shade": "red"}, []))
        delivered = self.delivered_headers()
        self.assertEqual(delivered["shade"], "red")
        self.assertNotIn("size", delivered)

    def test_are_not_shown_where_they_are_a_secret(self):
        self.set_headers(authorization="Bearer of news", shade="blue")

        self.assertEqual(self.headers(), ({"shade": "blue"}, ["authorization"]))
        self.assertEqual(self.delivered_headers()["authorization"], "Bearer of news")

    def test_are_patched_only_where_the_patch_says(self):
        self.set_headers(shade="blue", size="12")

        patch = EndpointHeadersPatchIn(headers={"size": "13", "shape": "round"})
        self.svix.endpoint.patch_headers(self.app.id, self.to.id, patch)

        self.assertEqual(self.headers(), ({"shade": "blue", "size": "13", "shape": "round"}, []))

    def test_go_by_name(self):
        self.set_headers(shade="blue", size="12")

        patch = EndpointHeadersPatchIn(headers={}, delete_headers=["size"])
        self.svix.endpoint.patch_headers(self.app.id, self.to.id, patch)

        self.assertEqual(self.headers(), ({"shade": "blue"}, []))

    def test_go_where_they_are_null(self):
        self.set_headers(shade="blue", size="12")

        # What the server takes, although the SDK's type has no null.
        patch = EndpointHeadersPatchIn.model_construct(headers={"size": None})
        self.svix.endpoint.patch_headers(self.app.id, self.to.id, patch)

        self.assertEqual(self.headers(), ({"shade": "blue"}, []))
