from datetime import datetime, timezone

from svix.models import EndpointIn, EndpointPatch, EndpointUpsertIn

from case import Case, unique


class Endpoints(Case):
    def setUp(self):
        super().setUp()
        self.app = self.application()

    def full_endpoint(self):
        return self.endpoint(
            self.app,
            "http://127.0.0.1:9/full",
            description="The books",
            uid=unique("books"),
            throttle_rate=50,
            event_types=[self.event_type()],
            channels=["project_1"],
            metadata={"team": "finance"},
        )

    def test_show_what_they_were_given(self):
        event_type = self.event_type()
        wanted = EndpointIn(
            url="http://127.0.0.1:9/books?of=2026",
            description="The books",
            uid=unique("books"),
            throttle_rate=50,
            disabled=True,
            event_types=[event_type],
            channels=["project_1"],
            metadata={"team": "finance"},
        )
        made = self.svix.endpoint.create(self.app.id, wanted)

        self.assertTrue(made.id.startswith("ep_"), made.id)
        self.assertEqual((made.url, made.description, made.uid), (wanted.url, wanted.description, wanted.uid))
        self.assertEqual((made.throttle_rate, made.disabled), (50, True))
        self.assertEqual((made.event_types, made.channels), ([event_type], ["project_1"]))
        self.assertEqual(made.metadata, {"team": "finance"})
        self.assertEqual(self.svix.endpoint.get(self.app.id, made.id), made)

    def test_need_no_more_than_a_url(self):
        made = self.endpoint(self.app)

        self.assertEqual((made.description, made.uid, made.disabled), ("", None, False))
        self.assertEqual((made.event_types, made.channels, made.throttle_rate), (None, None, None))
        self.assertEqual(made.metadata, {})
        self.assertLessEqual(made.created_at, datetime.now(timezone.utc))
        self.assertLessEqual(made.created_at, made.updated_at)

    def test_answer_to_their_uid(self):
        app = self.application(uid=unique("acme"))
        made = self.endpoint(app, uid=unique("books"))

        self.assertEqual(self.svix.endpoint.get(app.uid, made.uid), made)

    def test_do_not_share_a_uid_within_an_application(self):
        first = self.endpoint(self.app, uid=unique("books"))

        with self.refused(409, "conflict"):
            self.endpoint(self.app, uid=first.uid)
        self.assertEqual(self.endpoint(self.application(), uid=first.uid).uid, first.uid)

    def test_may_share_a_url(self):
        receiver = self.receiver()
        first, second = (self.endpoint(self.app, receiver.url) for _ in range(2))
        self.assertNotEqual(first.id, second.id)

        message = self.message(self.app, self.event_type())

        receiver.wait_for(2)
        self.assertEqual(set(receiver.ids()), {message.id})
        attempted = {attempt.endpoint_id for attempt in self.attempts(self.app, message, 2)}
        self.assertEqual(attempted, {first.id, second.id})

    def test_belong_to_one_application(self):
        made = self.endpoint(self.app)

        with self.refused(404, "not_found"):
            self.svix.endpoint.get(self.application().id, made.id)

    def test_come_to_be_by_an_upsert(self):
        uid = unique("books")
        made = self.svix.endpoint.upsert(self.app.id, uid, EndpointUpsertIn(url="http://127.0.0.1:9/new", uid=uid))

        self.assertEqual((made.url, made.uid), ("http://127.0.0.1:9/new", uid))
        self.assertEqual(self.svix.endpoint.get(self.app.id, uid).id, made.id)

    def test_keep_nothing_over_an_upsert_but_their_secret(self):
        made = self.full_endpoint()
        secret = self.svix.endpoint.get_secret(self.app.id, made.id).key

        after = self.svix.endpoint.upsert(self.app.id, made.id, EndpointUpsertIn(url="http://127.0.0.1:9/after"))

        self.assertEqual((after.id, after.url, after.description), (made.id, "http://127.0.0.1:9/after", ""))
        self.assertEqual((after.uid, after.throttle_rate, after.event_types), (None, None, None))
        self.assertEqual((after.channels, after.metadata, after.disabled), (None, {}, False))
        self.assertEqual(self.svix.endpoint.get_secret(self.app.id, made.id).key, secret)

    def test_are_patched_only_where_the_patch_says(self):
        made = self.full_endpoint()

        after = self.svix.endpoint.patch(self.app.id, made.uid, EndpointPatch(description="Other books"))

        unchanged = made.model_dump(exclude={"description", "updated_at"})
        self.assertEqual(after.description, "Other books")
        self.assertEqual(after.model_dump(exclude={"description", "updated_at"}), unchanged)
        self.assertEqual(self.svix.endpoint.get(self.app.id, made.id), after)

    def test_take_new_values_from_a_patch(self):
        made = self.full_endpoint()
        patch = EndpointPatch(
            url="http://127.0.0.1:9/moved",
            uid=unique("books"),
            throttle_rate=7,
            disabled=True,
            event_types=[self.event_type()],
            channels=["project_2"],
            metadata={"team": "sales"},
        )

        after = self.svix.endpoint.patch(self.app.id, made.id, patch)

        self.assertEqual(after.model_dump(include=patch.model_fields_set), patch.model_dump(exclude_unset=True))
        self.assertEqual(after.description, made.description)

    def test_lose_what_a_patch_says_is_null(self):
        made = self.full_endpoint()
        patch = EndpointPatch(uid=None, throttle_rate=None, event_types=None, channels=None)

        after = self.svix.endpoint.patch(self.app.id, made.id, patch)

        self.assertEqual((after.uid, after.throttle_rate), (None, None))
        self.assertEqual((after.event_types, after.channels), (None, None))
        self.assertEqual((after.url, after.description, after.metadata), (made.url, made.description, made.metadata))

    def test_are_gone_once_deleted(self):
        made = self.endpoint(self.app, uid=unique("books"))

        self.svix.endpoint.delete(self.app.id, made.uid)

        for name in (made.id, made.uid):
            with self.refused(404, "not_found"):
                self.svix.endpoint.get(self.app.id, name)
        self.assertEqual(self.svix.endpoint.list(self.app.id).data, [])

    def test_go_with_their_application(self):
        made = self.endpoint(self.app)
        self.svix.application.delete(self.app.id)

        with self.refused(404, "not_found"):
            self.svix.endpoint.get(self.app.id, made.id)
