from svix.api import (
    ApplicationListOptions,
    EndpointListOptions,
    EventTypeListOptions,
    MessageAttemptListAttemptedDestinationsOptions,
    MessageAttemptListAttemptedMessagesOptions,
    MessageAttemptListByEndpointOptions,
    MessageAttemptListByMsgOptions,
    MessageListOptions,
)
from svix.models import Ordering

from case import Case
from patience import eventually

LIMIT = 2

# More than there are of any list: a walk that gets so far goes round in circles.
MANY = 2000


class Pages(Case):
    """Lists of five, seen two at a time."""

    def setUp(self):
        super().setUp()
        self.app = self.application()
        self.type = self.event_type()

    def endpoints(self, url="http://127.0.0.1:9"):
        return [self.endpoint(self.app, f"{url}/{n}").id for n in range(5)]

    def delivered_messages(self):
        """An endpoint, and five messages that are there."""
        to = self.endpoint(self.app, self.receiver().url)
        made = [self.message(self.app, self.type) for _ in range(5)]
        for message in made:
            self.attempts(self.app, message, 1)
        return to, [message.id for message in made]

    def walk(self, page, limit=LIMIT):
        """Pages from the first to the last, each asked for by the iterator of the one before."""
        pages = [page(limit=limit)]
        while not pages[-1].done:
            self.assertLess(len(pages), MANY)
            pages.append(page(limit=limit, iterator=pages[-1].iterator))
        return pages

    def walk_back(self, page, last):
        """Pages from the one before `last` to the first."""
        pages = [page(limit=LIMIT, iterator=last.prev_iterator)]
        while not pages[-1].done:
            self.assertLess(len(pages), MANY)
            pages.append(page(limit=LIMIT, iterator=pages[-1].prev_iterator))
        return pages

    def assert_pages(self, page, ids):
        """There and back, the pages hold these and nothing else."""
        there = self.walk(page)
        self.assertEqual([self.ids(one) for one in there], [ids[:2], ids[2:4], ids[4:]])
        self.assertEqual([one.done for one in there], [False, False, True])

        back = self.walk_back(page, there[-1])
        self.assertEqual([self.ids(one) for one in back], [ids[2:4], ids[:2]])
        self.assertEqual([one.done for one in back], [False, True])

        self.assertEqual([self.ids(one) for one in self.walk(page, limit=5)], [ids])

    def ids(self, page):
        return [item.id for item in page.data]

    def test_of_an_empty_list(self):
        page = self.svix.endpoint.list(self.app.id)

        self.assertEqual((page.data, page.iterator, page.prev_iterator, page.done), ([], None, None, True))

    def test_of_endpoints_in_either_order(self):
        made = self.endpoints()

        def page(order=None, **options):
            return self.svix.endpoint.list(self.app.id, EndpointListOptions(order=order, **options))

        self.assert_pages(page, made[::-1])
        self.assert_pages(lambda **options: page(Ordering.DESCENDING, **options), made[::-1])
        self.assert_pages(lambda **options: page(Ordering.ASCENDING, **options), made)

    def test_of_messages(self):
        made = [self.message(self.app, self.type).id for _ in range(5)]

        self.assert_pages(lambda **o: self.svix.message.list(self.app.id, MessageListOptions(**o)), made[::-1])

    def test_of_messages_that_a_filter_lets_through(self):
        other = self.event_type()
        made = [self.message(self.app, name).id for _ in range(5) for name in (self.type, other)]

        def page(**options):
            return self.svix.message.list(self.app.id, MessageListOptions(event_types=[other], **options))

        self.assert_pages(page, made[1::2][::-1])

    def test_of_attempts_by_endpoint(self):
        to, _ = self.delivered_messages()

        def page(**options):
            options = MessageAttemptListByEndpointOptions(**options)
            return self.svix.message_attempt.list_by_endpoint(self.app.id, to.id, options)

        self.assert_pages(page, self.ids(page()))

    def test_of_attempts_by_message(self):
        self.endpoints(self.receiver().url)
        message = self.message(self.app, self.type)

        def page(**options):
            options = MessageAttemptListByMsgOptions(**options)
            return self.svix.message_attempt.list_by_msg(self.app.id, message.id, options)

        self.assert_pages(page, [attempt.id for attempt in self.attempts(self.app, message, 5)])

    def test_of_attempted_messages(self):
        to, made = self.delivered_messages()

        def page(**options):
            options = MessageAttemptListAttemptedMessagesOptions(**options)
            return self.svix.message_attempt.list_attempted_messages(self.app.id, to.id, options)

        self.assert_pages(page, made[::-1])

    def test_of_attempted_destinations(self):
        made = self.endpoints(self.receiver().url)
        message = self.message(self.app, self.type)

        def page(**options):
            options = MessageAttemptListAttemptedDestinationsOptions(**options)
            return self.svix.message_attempt.list_attempted_destinations(self.app.id, message.id, options)

        eventually("five destinations", lambda: len(page().data) == 5)
        there = [self.ids(one) for one in self.walk(page)]
        self.assertEqual([len(ids) for ids in there], [2, 2, 1])
        self.assertEqual(sorted(sum(there, [])), sorted(made))

    def test_of_applications(self):
        made = [self.application().id for _ in range(5)]

        def page(**options):
            return self.svix.application.list(ApplicationListOptions(order=Ordering.DESCENDING, **options))

        first = page(limit=LIMIT)
        second = page(limit=LIMIT, iterator=first.iterator)
        self.assertEqual(self.ids(first) + self.ids(second), made[:0:-1])
        self.assertFalse(second.done)
        self.assertEqual([self.ids(one) for one in self.walk_back(page, second)], [self.ids(first)])

    def test_of_applications_begin_with_the_oldest_unless_told(self):
        made = [self.application().id for _ in range(2)]

        pages = self.walk(lambda **options: self.svix.application.list(ApplicationListOptions(**options)), limit=250)

        self.assertEqual(self.ids(pages[-1])[-2:], made)

    def test_of_event_types(self):
        for _ in range(3):
            self.event_type()
        pages = self.walk(lambda **options: self.svix.event_type.list(EventTypeListOptions(**options)))
        names = [event_type.name for page in pages for event_type in page.data]
        self.assertEqual(names, sorted(set(names)))
        self.assertIn(self.type, names)

        back = self.svix.event_type.list(EventTypeListOptions(limit=LIMIT, iterator=pages[-1].prev_iterator))
        self.assertEqual(back.data, pages[-2].data)
