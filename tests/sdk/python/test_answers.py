import json
from datetime import datetime, timedelta, timezone

from case import Case, unique
from server import answer

APPLICATION = b'{"name":"Acme"}'


class Answers(Case):
    """Statuses and bodies that the SDK does not show."""

    def setUp(self):
        super().setUp()
        self.app = self.application()
        self.type = self.event_type()
        self.path = f"/api/v1/app/{self.app.id}"

    def created_endpoint(self, **fields):
        body = json.dumps({"url": "http://127.0.0.1:9/", **fields}).encode()
        status, made = answer("POST", f"{self.path}/endpoint", body)
        self.assertEqual(status, 201)
        return json.loads(made)

    def test_about_health(self):
        for method in ("GET", "HEAD"):
            self.assertEqual(answer(method, "/api/v1/health/ping"), (204, b""))
            self.assertIn(answer(method, "/api/v1/health")[0], (200, 204))
        self.assertIsNone(self.svix.health.get())

    def test_to_what_makes_something(self):
        uid = unique("acme")
        named = json.dumps({"name": "Acme", "uid": uid}).encode()

        self.assertEqual(answer("POST", "/api/v1/app?get_if_exists=true", named)[0], 201)
        self.assertEqual(answer("POST", "/api/v1/app?get_if_exists=true", named)[0], 200)
        self.assertEqual(answer("PUT", f"/api/v1/app/{uid}", named)[0], 200)
        new = unique("acme")
        self.assertEqual(answer("PUT", f"/api/v1/app/{new}", json.dumps({"name": "Acme", "uid": new}).encode())[0], 201)

    def test_to_what_is_done_later(self):
        endpoint = self.created_endpoint(url=self.receiver().url)
        body = json.dumps({"eventType": self.type, "payload": {}}).encode()
        status, message = answer("POST", f"{self.path}/msg", body)
        self.assertEqual(status, 202)
        message = json.loads(message)["id"]
        to = f"{self.path}/endpoint/{endpoint['id']}"

        self.assertEqual(answer("POST", f"{self.path}/msg/{message}/endpoint/{endpoint['id']}/resend"), (202, b"{}"))
        recovery = json.dumps({"since": (datetime.now(timezone.utc) - timedelta(hours=1)).isoformat()}).encode()
        self.assertEqual(answer("POST", f"{to}/recover", recovery)[0], 202)
        example = json.dumps({"eventType": "svix.ping"}).encode()
        self.assertEqual(answer("POST", f"{to}/send-example", example)[0], 200)

    def test_have_no_body_where_there_is_nothing_to_say(self):
        to = f"{self.path}/endpoint/{self.created_endpoint()['id']}"

        for method, path, body in (
            ("PUT", f"{to}/headers", b'{"headers":{"shade":"blue"}}'),
            ("PATCH", f"{to}/headers", b'{"headers":{"shade":null}}'),
            ("DELETE", f"/api/v1/event-type/{self.type}", None),
            ("DELETE", to, None),
            ("DELETE", self.path, None),
        ):
            self.assertEqual(answer(method, path, body), (204, b""), f"{method} {path}")

    def test_show_the_filter_under_both_its_names(self):
        for name in ("eventTypes", "filterTypes"):
            made = self.created_endpoint(**{name: [self.type]})

            self.assertEqual((made["eventTypes"], made["filterTypes"]), ([self.type], [self.type]))
            self.assertIn("version", made)

    def test_show_the_payload_unless_told_otherwise(self):
        body = json.dumps({"eventType": self.type, "payload": {"amount": 12}}).encode()

        self.assertEqual(json.loads(answer("POST", f"{self.path}/msg", body)[1])["payload"], {"amount": 12})
        self.assertEqual(json.loads(answer("GET", f"{self.path}/msg")[1])["data"][0]["payload"], {"amount": 12})

    def test_do_not_depend_on_a_slash_at_the_end(self):
        self.assertEqual(answer("GET", f"{self.path}/"), answer("GET", self.path))
        self.assertEqual(answer("POST", "/api/v1/app/", APPLICATION)[0], 201)

    def test_do_not_depend_on_unknown_parameters_and_fields(self):
        self.assertEqual(answer("GET", f"{self.path}/msg?with_content=false&expanded_statuses=true&tag=x")[0], 200)
        self.assertEqual(answer("POST", "/api/v1/app", b'{"name":"Acme","shade":"blue"}')[0], 201)

    def test_take_event_types_in_every_spelling(self):
        message = self.message(self.app, self.type)
        other = self.message(self.app, self.event_type())

        for query in (f"event_types={self.type}", f"event_types[]={self.type}", f"event_types[0]={self.type},x"):
            listed = json.loads(answer("GET", f"{self.path}/msg?{query}")[1])["data"]
            self.assertEqual([one["id"] for one in listed], [message.id], query)
        both = json.loads(answer("GET", f"{self.path}/msg?event_types={self.type},{other.event_type}")[1])["data"]
        self.assertEqual([one["id"] for one in both], [other.id, message.id])

    def test_about_a_missing_token(self):
        status, body = answer("GET", "/api/v1/app", token=None)

        self.assertEqual(status, 401)
        self.assertEqual(set(json.loads(body)), {"code", "detail"})

    def test_about_broken_json(self):
        status, body = answer("POST", "/api/v1/app", b"{")

        self.assertEqual(status, 422)
        self.assertEqual({"loc", "msg", "type"}, set(json.loads(body)["detail"][0]))
