from datetime import datetime, timedelta, timezone

from svix.api import EndpointGetStatsOptions
from svix.models import EndpointPatch, EventExampleIn, RecoverIn

from case import Case
from patience import eventually, moment_later


class EndpointWork(Case):
    def setUp(self):
        super().setUp()
        self.app = self.application()
        self.type = self.event_type()
        self.receiving = self.receiver()
        self.to = self.endpoint(self.app, self.receiving.url)

    def stats(self, **options):
        stats = self.svix.endpoint.get_stats(self.app.id, self.to.id, EndpointGetStatsOptions(**options))
        return stats.model_dump()

    def settled(self, **counts):
        """Waits until the endpoint's messages are counted like that, and in no other way."""
        wanted = {"success": 0, "fail": 0, "pending": 0, "sending": 0, "canceled": 0, **counts}
        eventually(f"the count {wanted}", lambda: self.stats() == wanted)


class Stats(EndpointWork):
    def test_count_messages_by_how_they_stand(self):
        self.settled()
        self.message(self.app, self.type)
        self.message(self.app, self.type)
        self.settled(success=2)

        self.receiving.answer_with(500)
        self.message(self.app, self.type)
        self.settled(success=2, fail=1)

    def test_count_what_is_within_their_range(self):
        self.message(self.app, self.type)
        self.settled(success=1)
        moment_later()
        now = datetime.now(timezone.utc)

        self.assertEqual(self.stats(since=now - timedelta(hours=1), until=now)["success"], 1)
        self.assertEqual(self.stats(since=now)["success"], 0)
        self.assertEqual(self.stats(until=now - timedelta(hours=1))["success"], 0)


class Recovering(EndpointWork):
    def recover(self, **when):
        return self.svix.endpoint.recover(self.app.id, self.to.id, RecoverIn(**when))

    def repair(self):
        """The receiver works again, and the endpoint is enabled, if it was not."""
        self.receiving.answer_with(200)
        self.svix.endpoint.patch(self.app.id, self.to.id, EndpointPatch(disabled=False))

    def test_sends_again_what_had_failed(self):
        self.receiving.answer_with(500)
        message = self.message(self.app, self.type)
        self.settled(fail=1)
        tried = len(self.receiving.requests())
        self.repair()

        task = self.recover(since=message.timestamp - timedelta(minutes=1))

        self.assertTrue(task.id.startswith("qtask_"), task.id)
        self.assertEqual((task.status.value, task.task.value), ("running", "endpoint.recover"))
        self.assertLessEqual(task.updated_at, datetime.now(timezone.utc))
        self.assertEqual(self.receiving.wait_for(tried + 1)[-1].headers["svix-id"], message.id)
        self.settled(success=1)

    def test_leaves_alone_what_had_succeeded(self):
        good = self.message(self.app, self.type)
        self.settled(success=1)
        self.receiving.answer_with(500)
        bad = self.message(self.app, self.type)
        self.settled(success=1, fail=1)
        self.repair()

        self.recover(since=good.timestamp - timedelta(minutes=1), until=datetime.now(timezone.utc))

        self.settled(success=2)
        self.assertEqual(self.receiving.ids().count(good.id), 1)
        self.assertEqual(self.receiving.ids()[-1], bad.id)


class Examples(EndpointWork):
    def test_go_to_the_one_endpoint(self):
        other = self.receiver()
        self.endpoint(self.app, other.url)

        schema = {"1": {"type": "object", "examples": [{"amount": 12}]}}
        name = self.event_type(schemas=schema)

        example = self.svix.endpoint.send_example(self.app.id, self.to.id, EventExampleIn(event_type=name))

        self.assertTrue(example.id.startswith("msg_"), example.id)
        self.assertEqual(example.event_type, name)
        self.receiving.wait_for_message(example)
        other.wait_for_message(self.message(self.app, self.type))
        self.assertNotIn(example.id, other.ids())
