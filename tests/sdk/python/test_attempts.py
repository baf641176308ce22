from datetime import datetime, timezone

from svix.api import (
    MessageAttemptListAttemptedMessagesOptions,
    MessageAttemptListByEndpointOptions,
    MessageAttemptListByMsgOptions,
)
from svix.models import MessageAttemptTriggerType, MessageStatus, MessageStatusText, StatusCodeClass

from case import Case, unique
from patience import eventually, moment_later
from receiver import url_of_nobody

# One request, and a retry for each wait of the schedule that the server was started with.
TRIES = 3

SETTLED = (MessageStatus.SUCCESS, MessageStatus.FAIL)


class AttemptCase(Case):
    def setUp(self):
        super().setUp()
        self.app = self.application()
        self.type = self.event_type()

    def by_message(self, message, **options):
        options = MessageAttemptListByMsgOptions(**options)
        return self.svix.message_attempt.list_by_msg(self.app.id, message.id, options).data

    def by_endpoint(self, endpoint, **options):
        options = MessageAttemptListByEndpointOptions(**options)
        return self.svix.message_attempt.list_by_endpoint(self.app.id, endpoint.id, options).data

    def messages_of(self, endpoint, **options):
        options = MessageAttemptListAttemptedMessagesOptions(**options)
        return self.svix.message_attempt.list_attempted_messages(self.app.id, endpoint.id, options).data

    def delivered(self, to, **options):
        """A message, and the one attempt that it took."""
        message = self.message(self.app, **{"event_type": self.type, **options})
        eventually("a delivery", lambda: message.id in [attempt.msg_id for attempt in self.by_endpoint(to)])
        return message, self.by_message(message)[0]

    def status_of(self, message, endpoint):
        """How the message stands at the endpoint, once that is settled."""

        def settled():
            settled = [seen for seen in self.messages_of(endpoint) if seen.status in SETTLED]
            return next((seen for seen in settled if seen.id == message.id), None)

        return eventually(f"the end of {message.id}", settled)


class Attempts(AttemptCase):
    def test_show_what_they_met(self):
        receiver = self.receiver(201, says="thank you")
        to = self.endpoint(self.app, receiver.url)
        message, _ = self.delivered(to)

        [attempt] = self.by_message(message, with_content=True)

        self.assertTrue(attempt.id.startswith("atmpt_"), attempt.id)
        self.assertEqual((attempt.msg_id, attempt.endpoint_id, attempt.url), (message.id, to.id, receiver.url))
        self.assertEqual((attempt.response, attempt.response_status_code), ("thank you", 201))
        self.assertEqual((attempt.status, attempt.status_text), (MessageStatus.SUCCESS, MessageStatusText.SUCCESS))
        self.assertEqual(attempt.trigger_type, MessageAttemptTriggerType.SCHEDULED)
        self.assertGreaterEqual(attempt.response_duration_ms, 0)
        self.assertLessEqual(message.timestamp, attempt.timestamp)
        self.assertLessEqual(attempt.timestamp, datetime.now(timezone.utc))

    def test_show_the_response_only_when_asked_for_it(self):
        to = self.endpoint(self.app, self.receiver(says="thank you").url)
        message, _ = self.delivered(to)

        self.assertEqual([attempt.response for attempt in self.by_message(message)], ["{}"])
        self.assertEqual([attempt.response for attempt in self.by_endpoint(to)], ["{}"])
        self.assertEqual([attempt.response for attempt in self.by_endpoint(to, with_content=True)], ["thank you"])

    def test_are_found_by_their_id(self):
        to = self.endpoint(self.app, self.receiver(says="thank you").url)
        message, attempt = self.delivered(to, event_id=unique("paid"))

        for name in (message.id, message.event_id):
            found = self.svix.message_attempt.get(self.app.id, name, attempt.id)
            self.assertEqual((found.id, found.response), (attempt.id, "thank you"))

    def test_forget_their_response(self):
        to = self.endpoint(self.app, self.receiver(says="thank you").url)
        message, attempt = self.delivered(to)

        self.svix.message_attempt.expunge_content(self.app.id, message.id, attempt.id)
        found = self.svix.message_attempt.get(self.app.id, message.id, attempt.id)
        self.assertEqual((found.id, found.response), (attempt.id, "EXPUNGED"))

    def test_belong_to_one_message(self):
        to = self.endpoint(self.app, self.receiver().url)
        _, attempt = self.delivered(to)
        other, _ = self.delivered(to)

        with self.refused(404, "not_found"):
            self.svix.message_attempt.get(self.app.id, other.id, attempt.id)

    def test_of_a_failing_receiver_show_its_answers(self):
        to = self.endpoint(self.app, self.receiver(500, 404, 503).url)
        message = self.message(self.app, self.type)

        attempts = self.attempts(self.app, message, TRIES)

        self.assertEqual([attempt.response_status_code for attempt in attempts], [503, 404, 500])
        self.assertEqual({attempt.status for attempt in attempts}, {MessageStatus.FAIL})
        self.assertEqual({attempt.status_text for attempt in attempts}, {MessageStatusText.FAIL})
        self.assertEqual(self.status_of(message, to).status, MessageStatus.FAIL)

    def test_go_on_until_one_succeeds(self):
        to = self.endpoint(self.app, self.receiver(500, 200).url)
        message = self.message(self.app, self.type)

        second, first = self.attempts(self.app, message, 2)

        self.assertEqual((first.response_status_code, first.status), (500, MessageStatus.FAIL))
        self.assertEqual((second.response_status_code, second.status), (200, MessageStatus.SUCCESS))
        self.assertLess(first.timestamp, second.timestamp)
        self.assertEqual(self.status_of(message, to).status, MessageStatus.SUCCESS)

    def test_at_nobody_have_no_status_code(self):
        to = self.endpoint(self.app, url_of_nobody())
        message = self.message(self.app, self.type)

        attempts = self.attempts(self.app, message, TRIES)

        self.assertEqual({attempt.response_status_code for attempt in attempts}, {0})
        self.assertEqual({attempt.status for attempt in attempts}, {MessageStatus.FAIL})
        self.assertEqual(len(self.by_endpoint(to, status_code_class=StatusCodeClass.CODE_NONE)), TRIES)


class ListsOfAttempts(AttemptCase):
    def ids(self, attempts):
        return [attempt.id for attempt in attempts]

    def test_are_newest_first(self):
        to = self.endpoint(self.app, self.receiver().url)
        made = [self.delivered(to)[1].id for _ in range(3)]

        self.assertEqual(self.ids(self.by_endpoint(to)), made[::-1])

    def test_are_by_status(self):
        to = self.endpoint(self.app, self.receiver(500, 200).url)
        message = self.message(self.app, self.type)
        second, first = self.attempts(self.app, message, 2)

        for attempt in (first, second):
            self.assertEqual(self.ids(self.by_message(message, status=attempt.status)), [attempt.id])
            self.assertEqual(self.ids(self.by_endpoint(to, status=attempt.status)), [attempt.id])

    def test_are_by_class_of_status_code(self):
        to = self.endpoint(self.app, self.receiver(503, 404, 204).url)
        message = self.message(self.app, self.type)
        third, second, first = self.attempts(self.app, message, 3)

        for attempt, kind in (
            (first, StatusCodeClass.CODE5XX),
            (second, StatusCodeClass.CODE4XX),
            (third, StatusCodeClass.CODE2XX),
        ):
            self.assertEqual(self.ids(self.by_message(message, status_code_class=kind)), [attempt.id])
            self.assertEqual(self.ids(self.by_endpoint(to, status_code_class=kind)), [attempt.id])
        self.assertEqual(self.by_message(message, status_code_class=StatusCodeClass.CODE3XX), [])

    def test_are_by_event_type(self):
        to = self.endpoint(self.app, self.receiver().url)
        other = self.event_type()
        self.delivered(to)
        message, attempt = self.delivered(to, event_type=other)

        self.assertEqual(self.ids(self.by_endpoint(to, event_types=[other])), [attempt.id])
        self.assertEqual(self.by_message(message, event_types=[self.type]), [])
        self.assertEqual([seen.id for seen in self.messages_of(to, event_types=[other])], [message.id])

    def test_are_by_channel(self):
        to = self.endpoint(self.app, self.receiver().url)
        self.delivered(to)
        message, attempt = self.delivered(to, channels=["a", "b"])

        self.assertEqual(self.ids(self.by_endpoint(to, channel="b")), [attempt.id])
        self.assertEqual(self.by_message(message, channel="c"), [])
        self.assertEqual([seen.id for seen in self.messages_of(to, channel="b")], [message.id])

    def test_are_by_time(self):
        to = self.endpoint(self.app, self.receiver().url)
        early, early_attempt = self.delivered(to)
        moment_later()
        between = datetime.now(timezone.utc)
        moment_later()
        late, late_attempt = self.delivered(to)

        self.assertEqual(self.ids(self.by_endpoint(to, before=between)), [early_attempt.id])
        self.assertEqual(self.ids(self.by_endpoint(to, after=between)), [late_attempt.id])
        self.assertEqual(self.by_message(early, after=between), [])
        self.assertEqual([seen.id for seen in self.messages_of(to, before=between)], [early.id])
        self.assertEqual([seen.id for seen in self.messages_of(to, after=between)], [late.id])

    def test_are_by_endpoint(self):
        first = self.endpoint(self.app, self.receiver().url, uid=unique("first"))
        self.endpoint(self.app, self.receiver().url)
        message = self.message(self.app, self.type)
        self.attempts(self.app, message, 2)

        for name in (first.id, first.uid):
            self.assertEqual([seen.endpoint_id for seen in self.by_message(message, endpoint_id=name)], [first.id])

    def test_answer_to_uids_and_event_ids(self):
        app = self.application(uid=unique("acme"))
        to = self.endpoint(app, self.receiver().url, uid=unique("books"))
        message = self.message(app, self.type, event_id=unique("paid"))
        [attempt] = self.attempts(app, message, 1)

        attempts = self.svix.message_attempt
        self.assertEqual(self.ids(attempts.list_by_endpoint(app.uid, to.uid).data), [attempt.id])
        self.assertEqual(self.ids(attempts.list_by_msg(app.uid, message.event_id).data), [attempt.id])
        self.assertEqual(self.ids(attempts.list_attempted_messages(app.uid, to.uid).data), [message.id])
        self.assertEqual(self.ids(attempts.list_attempted_destinations(app.uid, message.event_id).data), [to.id])


class AttemptedMessages(AttemptCase):
    def test_show_the_message_and_how_it_stands(self):
        to = self.endpoint(self.app, self.receiver().url)
        message, _ = self.delivered(to, event_id=unique("paid"), channels=["a"], payload={"amount": 3})

        [seen] = self.messages_of(to)

        self.assertEqual((seen.id, seen.event_id, seen.event_type), (message.id, message.event_id, self.type))
        self.assertEqual((seen.channels, seen.payload, seen.timestamp), (["a"], {}, message.timestamp))
        self.assertEqual((seen.status, seen.status_text), (MessageStatus.SUCCESS, MessageStatusText.SUCCESS))
        self.assertIsNone(seen.next_attempt)
        self.assertEqual(self.messages_of(to, with_content=True)[0].payload, {"amount": 3})

    def test_are_listed_by_how_they_stand(self):
        receiver = self.receiver(200)
        to = self.endpoint(self.app, receiver.url)
        good, _ = self.delivered(to)
        receiver.answer_with(500)
        bad = self.message(self.app, self.type)

        self.assertEqual(self.status_of(bad, to).status_text, MessageStatusText.FAIL)
        self.assertEqual([seen.id for seen in self.messages_of(to, status=MessageStatus.SUCCESS)], [good.id])
        self.assertEqual([seen.id for seen in self.messages_of(to, status=MessageStatus.FAIL)], [bad.id])


class AttemptedDestinations(AttemptCase):
    def destinations(self, message):
        destinations = self.svix.message_attempt.list_attempted_destinations(self.app.id, message.id).data
        return {destination.id: destination for destination in destinations}

    def test_show_the_endpoint_and_how_the_message_stands_there(self):
        good = self.endpoint(self.app, self.receiver(200).url, description="Good", uid=unique("good"))
        bad = self.endpoint(self.app, self.receiver(500).url, event_types=[self.type], throttle_rate=50)
        message = self.message(self.app, self.type)
        self.status_of(message, good)
        self.status_of(message, bad)

        seen = self.destinations(message)

        self.assertEqual(set(seen), {good.id, bad.id})
        self.assertEqual((seen[good.id].url, seen[good.id].uid), (good.url, good.uid))
        self.assertEqual((seen[good.id].description, seen[good.id].created_at), ("Good", good.created_at))
        self.assertEqual((seen[bad.id].event_types, seen[bad.id].throttle_rate), ([self.type], 50))
        self.assertEqual(
            {name: (one.status, one.status_text) for name, one in seen.items()},
            {
                good.id: (MessageStatus.SUCCESS, MessageStatusText.SUCCESS),
                bad.id: (MessageStatus.FAIL, MessageStatusText.FAIL),
            },
        )
        self.assertEqual({one.next_attempt for one in seen.values()}, {None})


class Resending(AttemptCase):
    def test_makes_one_more_attempt_by_hand(self):
        receiver = self.receiver()
        to = self.endpoint(self.app, receiver.url, uid=unique("books"))
        message, first = self.delivered(to, event_id=unique("paid"))

        self.svix.message_attempt.resend(self.app.id, message.event_id, to.uid)

        second, _ = self.attempts(self.app, message, 2)
        self.assertNotEqual(second.id, first.id)
        before, after = receiver.wait_for(2)
        self.assertEqual(after.headers["svix-id"], message.id)
        self.assertEqual(after.body, before.body)

    def test_needs_an_endpoint_of_the_application(self):
        to = self.endpoint(self.app, self.receiver().url)
        message, _ = self.delivered(to)

        with self.refused(404, "not_found"):
            self.svix.message_attempt.resend(self.app.id, message.id, self.endpoint(self.application()).id)
