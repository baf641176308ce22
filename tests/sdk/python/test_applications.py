from datetime import datetime, timezone

from svix.models import ApplicationIn, ApplicationPatch

from case import Case, unique


class Applications(Case):
    def test_show_what_they_were_given(self):
        uid = unique("acme")
        made = self.application(name="Acme Ltd", uid=uid, throttle_rate=100, metadata={"plan": "gold"})

        self.assertTrue(made.id.startswith("app_"), made.id)
        self.assertEqual((made.name, made.uid, made.throttle_rate), ("Acme Ltd", uid, 100))
        self.assertEqual(made.metadata, {"plan": "gold"})
        self.assertEqual(self.svix.application.get(made.id), made)

    def test_need_no_more_than_a_name(self):
        made = self.application()

        self.assertEqual((made.uid, made.throttle_rate, made.metadata), (None, None, {}))
        self.assertLessEqual(made.created_at, datetime.now(timezone.utc))
        self.assertLessEqual(made.created_at, made.updated_at)

    def test_answer_to_their_uid(self):
        made = self.application(uid=unique("acme"))

        self.assertEqual(self.svix.application.get(made.uid), made)

    def test_do_not_share_a_uid(self):
        first = self.application(uid=unique("acme"))

        with self.refused(409, "conflict"):
            self.application(uid=first.uid)

    def test_are_found_instead_of_made_again(self):
        wanted = ApplicationIn(name="Acme", uid=unique("acme"))
        made = self.svix.application.get_or_create(wanted)

        renamed = wanted.model_copy(update={"name": "Another name"})
        self.assertEqual(self.svix.application.get_or_create(renamed), made)

    def test_come_to_be_by_an_upsert(self):
        uid = unique("acme")
        made = self.svix.application.upsert(uid, ApplicationIn(name="Acme", uid=uid))

        self.assertEqual((made.name, made.uid), ("Acme", uid))
        self.assertEqual(self.svix.application.get(uid).id, made.id)

    def test_keep_nothing_over_an_upsert(self):
        made = self.application(uid=unique("acme"), throttle_rate=100, metadata={"plan": "gold"})

        after = self.svix.application.upsert(made.id, ApplicationIn(name="New name"))

        self.assertEqual((after.id, after.name, after.created_at), (made.id, "New name", made.created_at))
        self.assertEqual((after.uid, after.throttle_rate, after.metadata), (None, None, {}))

    def test_are_patched_only_where_the_patch_says(self):
        made = self.application(uid=unique("acme"), throttle_rate=100, metadata={"plan": "gold"})

        after = self.svix.application.patch(made.id, ApplicationPatch(name="New name"))

        self.assertEqual((after.name, after.uid, after.throttle_rate), ("New name", made.uid, 100))
        self.assertEqual(after.metadata, {"plan": "gold"})
        self.assertEqual(self.svix.application.get(made.id), after)

    def test_take_new_values_from_a_patch(self):
        made = self.application(uid=unique("acme"), throttle_rate=100, metadata={"plan": "gold"})
        patch = ApplicationPatch(uid=unique("acme"), throttle_rate=7, metadata={"plan": "silver"})

        after = self.svix.application.patch(made.uid, patch)

        self.assertEqual((after.uid, after.throttle_rate, after.metadata), (patch.uid, 7, {"plan": "silver"}))
        with self.refused(404, "not_found"):
            self.svix.application.get(made.uid)

    def test_lose_what_a_patch_says_is_null(self):
        made = self.application(uid=unique("acme"), throttle_rate=100)

        after = self.svix.application.patch(made.id, ApplicationPatch(uid=None, throttle_rate=None))

        self.assertEqual((after.name, after.uid, after.throttle_rate), (made.name, None, None))

    def test_are_gone_once_deleted(self):
        made = self.application(uid=unique("acme"))

        self.svix.application.delete(made.uid)

        for name in (made.id, made.uid):
            with self.refused(404, "not_found"):
                self.svix.application.get(name)
        with self.refused(404, "not_found"):
            self.svix.application.delete(made.id)

    def test_leave_their_uid_to_others_once_deleted(self):
        made = self.application(uid=unique("acme"))
        self.svix.application.delete(made.id)

        self.assertNotEqual(self.application(uid=made.uid).id, made.id)
