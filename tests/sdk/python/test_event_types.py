from datetime import datetime, timezone

from svix.api import EventTypeDeleteOptions, EventTypeListOptions
from svix.models import EventTypeIn, EventTypePatch, EventTypeUpsertIn

from case import Case, unique

SCHEMAS = {"1": {"type": "object", "properties": {"amount": {"type": "integer"}}, "required": ["amount"]}}


class EventTypes(Case):
    def full_event_type(self):
        return self.event_type(deprecated=True, schemas=SCHEMAS)

    def listed(self, **options):
        """All that a walk through the list comes by, by their names."""
        found, iterator, done = {}, None, False
        while not done:
            page = self.svix.event_type.list(EventTypeListOptions(limit=250, iterator=iterator, **options))
            self.assertTrue(page.done or page.iterator != iterator)
            found.update({event_type.name: event_type for event_type in page.data})
            iterator, done = page.iterator, page.done
        return found

    def test_show_what_they_were_given(self):
        name = unique("invoice.paid")
        wanted = EventTypeIn(name=name, description="An invoice was paid", deprecated=True, schemas=SCHEMAS)
        made = self.svix.event_type.create(wanted)

        self.assertEqual((made.name, made.description), (name, "An invoice was paid"))
        self.assertEqual((made.archived, made.deprecated, made.schemas), (False, True, SCHEMAS))
        self.assertLessEqual(made.created_at, made.updated_at)
        self.assertLessEqual(made.updated_at, datetime.now(timezone.utc))
        self.assertEqual(self.svix.event_type.get(name), made)

    def test_need_no_schemas(self):
        made = self.svix.event_type.get(self.event_type())

        self.assertEqual((made.archived, made.deprecated, made.schemas), (False, False, None))

    def test_do_not_share_a_name(self):
        name = self.event_type()

        with self.refused(409, "event_type_exists"):
            self.event_type(name=name)

    def test_come_to_be_by_an_upsert(self):
        name = unique("invoice.paid")
        made = self.svix.event_type.upsert(name, EventTypeUpsertIn(description="Paid", schemas=SCHEMAS))

        self.assertEqual((made.name, made.description, made.schemas), (name, "Paid", SCHEMAS))
        self.assertEqual(self.svix.event_type.get(name), made)

    def test_keep_nothing_over_an_upsert(self):
        name = self.full_event_type()

        after = self.svix.event_type.upsert(name, EventTypeUpsertIn(description="Paid at last"))

        self.assertEqual((after.name, after.description), (name, "Paid at last"))
        self.assertEqual((after.deprecated, after.schemas), (False, None))

    def test_are_patched_only_where_the_patch_says(self):
        name = self.full_event_type()

        after = self.svix.event_type.patch(name, EventTypePatch(description="Paid at last"))

        self.assertEqual((after.description, after.deprecated, after.schemas), ("Paid at last", True, SCHEMAS))
        self.assertEqual(self.svix.event_type.get(name), after)

    def test_lose_what_a_patch_says_is_null(self):
        name = self.full_event_type()

        after = self.svix.event_type.patch(name, EventTypePatch(schemas=None))

        self.assertEqual((after.deprecated, after.schemas), (True, None))

    def test_are_archived_by_a_patch(self):
        name = self.event_type()

        self.assertTrue(self.svix.event_type.patch(name, EventTypePatch(archived=True)).archived)
        self.assertFalse(self.svix.event_type.patch(name, EventTypePatch(archived=False)).archived)

    def test_are_kept_in_the_archive_when_deleted(self):
        name = self.event_type()

        self.svix.event_type.delete(name)

        self.assertTrue(self.svix.event_type.get(name).archived)
        self.assertNotIn(name, self.listed())
        self.assertTrue(self.listed(include_archived=True)[name].archived)

    def test_come_back_from_the_archive_when_created_again(self):
        name = self.event_type()
        self.svix.event_type.delete(name)

        self.event_type(name=name, description="Paid again")

        found = self.svix.event_type.get(name)
        self.assertEqual((found.archived, found.description), (False, "Paid again"))

    def test_are_gone_once_expunged(self):
        name = self.event_type()

        self.svix.event_type.delete(name, EventTypeDeleteOptions(expunge=True))

        with self.refused(404, "not_found"):
            self.svix.event_type.get(name)
        self.assertNotIn(name, self.listed(include_archived=True))

    def test_are_listed_without_their_schemas_unless_asked_for(self):
        name = self.full_event_type()

        self.assertIsNone(self.listed()[name].schemas)
        self.assertEqual(self.listed(with_content=True)[name].schemas, SCHEMAS)

    def test_are_listed_by_name(self):
        made = {self.event_type(name=unique(word)) for word in ("zebra.born", "aardvark.born", "monkey.born")}

        names = list(self.listed())

        self.assertLessEqual(made, set(names))
        self.assertEqual(names, sorted(names))
