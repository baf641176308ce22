from datetime import datetime, timezone

from svix.api import MessageCreateOptions, MessageGetOptions, MessageListOptions
from svix.models import ApplicationIn, MessageIn

from case import Case, unique
from patience import moment_later

PAYLOAD = {"amount": 12, "paid": True, "lines": [{"sku": "b-1", "price": 1.5}], "note": None}


class Messages(Case):
    def setUp(self):
        super().setUp()
        self.app = self.application()
        self.type = self.event_type()

    def listed(self, **options):
        return self.svix.message.list(self.app.id, MessageListOptions(**options)).data

    def ids(self, **options):
        return [message.id for message in self.listed(**options)]

    def test_show_what_they_were_given(self):
        wanted = MessageIn(event_type=self.type, payload=PAYLOAD, event_id=unique("paid"), channels=["project_1"])
        made = self.svix.message.create(self.app.id, wanted, MessageCreateOptions(with_content=True))

        self.assertTrue(made.id.startswith("msg_"), made.id)
        self.assertEqual((made.event_type, made.event_id), (self.type, wanted.event_id))
        self.assertEqual((made.payload, made.channels), (PAYLOAD, ["project_1"]))
        self.assertLessEqual(made.timestamp, datetime.now(timezone.utc))

    def test_need_no_more_than_a_type_and_a_payload(self):
        made = self.message(self.app, self.type)

        self.assertEqual((made.event_id, made.channels), (None, None))

    def test_show_their_payload_only_when_asked_for_it(self):
        made = self.message(self.app, self.type, PAYLOAD)
        self.assertEqual(made.payload, {})

        with_content = MessageGetOptions(with_content=True)
        self.assertEqual(self.svix.message.get(self.app.id, made.id), made)
        self.assertEqual(self.svix.message.get(self.app.id, made.id, with_content).payload, PAYLOAD)

        self.assertEqual([message.payload for message in self.listed()], [{}])
        self.assertEqual([message.payload for message in self.listed(with_content=True)], [PAYLOAD])

    def test_forget_their_payload(self):
        made = self.message(self.app, self.type, PAYLOAD)
        to = self.endpoint(self.app, self.receiver().url)

        self.svix.message.expunge_content(self.app.id, made.id)
        found = self.svix.message.get(self.app.id, made.id, MessageGetOptions(with_content=True))
        self.assertEqual((found.id, found.payload), (made.id, {"expired": True}))
        with self.refused(400, "missing_payload"):
            self.svix.message_attempt.resend(self.app.id, made.id, to.id)

    def test_answer_to_their_event_id(self):
        app = self.application(uid=unique("acme"))
        made = self.message(app, self.type, event_id=unique("paid"))

        self.assertEqual(self.svix.message.get(app.uid, made.event_id), made)

    def test_do_not_share_an_event_id_within_an_application(self):
        event_id = unique("paid")
        self.message(self.app, self.type, event_id=event_id)

        with self.refused(409, "conflict"):
            self.message(self.app, self.type, event_id=event_id)
        self.assertEqual(self.message(self.application(), self.type, event_id=event_id).event_id, event_id)

    def test_belong_to_one_application(self):
        made = self.message(self.app, self.type)

        with self.refused(404, "not_found"):
            self.svix.message.get(self.application().id, made.id)

    def test_need_an_application(self):
        with self.refused(404, "not_found"):
            self.svix.message.create(unique("nobody"), MessageIn(event_type=self.type, payload={}))

    def test_bring_their_application_with_them(self):
        new = ApplicationIn(name="New", uid=unique("new"))
        messages = [
            self.svix.message.create(new.uid, MessageIn(event_type=self.type, payload={}, application=new))
            for _ in range(2)
        ]

        self.assertEqual(self.svix.application.get(new.uid).name, "New")
        listed = self.svix.message.list(new.uid).data
        self.assertEqual([message.id for message in listed], [message.id for message in reversed(messages)])

    def test_are_listed_newest_first(self):
        made = [self.message(self.app, self.type).id for _ in range(3)]

        self.assertEqual(self.ids(), made[::-1])

    def test_are_listed_by_type(self):
        other, third = self.event_type(), self.event_type()
        made = [self.message(self.app, name).id for name in (self.type, other, third)]

        self.assertEqual(self.ids(event_types=[other]), [made[1]])
        self.assertEqual(self.ids(event_types=[self.type, third]), [made[2], made[0]])

    def test_are_listed_by_channel(self):
        made = [self.message(self.app, self.type, channels=channels).id for channels in (["a", "b"], ["b"], None)]

        self.assertEqual(self.ids(channel="a"), [made[0]])
        self.assertEqual(self.ids(channel="b"), [made[1], made[0]])

    def test_are_listed_by_time(self):
        before = self.message(self.app, self.type)
        moment_later()
        between = datetime.now(timezone.utc)
        moment_later()
        after = self.message(self.app, self.type)

        self.assertEqual(self.ids(before=between), [before.id])
        self.assertEqual(self.ids(after=between), [after.id])
        self.assertEqual(self.ids(after=before.timestamp.replace(year=2020)), [after.id, before.id])
