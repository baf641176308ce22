import assert from "node:assert/strict";
import { beforeEach, describe, test } from "node:test";
import { Ordering } from "svix";
import {
  ANY_URL,
  attemptsAt,
  idsOf,
  newApplication,
  newEndpoint,
  newEventType,
  newMessage,
  newReceiver,
  svix,
} from "./world.mjs";

const LIMIT = 2;

// More than there are of any list: a walk that gets so far goes round in circles.
const MANY = 2000;

/** Pages from the first to the last, each asked for by the iterator of the one before. */
async function walk(page, limit = LIMIT) {
  const pages = [await page({ limit })];
  while (!pages.at(-1).done) {
    assert.ok(pages.length < MANY);
    pages.push(await page({ limit, iterator: pages.at(-1).iterator }));
  }
  return pages;
}

/** Pages from the one before `last` to the first. */
async function walkBack(page, last) {
  const pages = [await page({ limit: LIMIT, iterator: last.prevIterator })];
  while (!pages.at(-1).done) {
    assert.ok(pages.length < MANY);
    pages.push(await page({ limit: LIMIT, iterator: pages.at(-1).prevIterator }));
  }
  return pages;
}

/** There and back, the pages hold these five and nothing else. */
async function assertPages(page, ids) {
  const there = await walk(page);
  assert.deepEqual(there.map(idsOf), [ids.slice(0, 2), ids.slice(2, 4), ids.slice(4)]);
  assert.deepEqual(there.map(({ done }) => done), [false, false, true]);

  const back = await walkBack(page, there.at(-1));
  assert.deepEqual(back.map(idsOf), [ids.slice(2, 4), ids.slice(0, 2)]);
  assert.deepEqual(back.map(({ done }) => done), [false, true]);

  assert.deepEqual((await walk(page, 5)).map(idsOf), [ids]);
}

describe("pages", () => {
  let app, type;
  beforeEach(async () => {
    app = await newApplication();
    type = await newEventType();
  });

  async function five(make) {
    const made = [];
    for (let n = 0; n < 5; n++) made.push(await make(n));
    return made;
  }

  test("of an empty list", async () => {
    const { data, iterator, prevIterator, done } = await svix.message.list(app.id);

    assert.deepEqual([data, iterator, prevIterator ?? null, done], [[], null, null, true]);
  });

  test("of endpoints in either order", async () => {
    const ids = idsOf({ data: await five((n) => newEndpoint(app, `${ANY_URL}${n}`)) });
    const page = (options) => svix.endpoint.list(app.id, options);

    await assertPages(page, ids.toReversed());
    await assertPages((options) => page({ order: Ordering.Descending, ...options }), ids.toReversed());
    await assertPages((options) => page({ order: Ordering.Ascending, ...options }), ids);
  });

  test("of messages, of their attempts and of attempted messages", async () => {
    const to = await newEndpoint(app, (await newReceiver()).url);
    const messages = await five(() => newMessage(app, type));
    for (const message of messages) await attemptsAt(app, message, 1);
    const ids = idsOf({ data: messages }).reverse();
    const byEndpoint = (options) => svix.messageAttempt.listByEndpoint(app.id, to.id, options);

    await assertPages((options) => svix.message.list(app.id, options), ids);
    await assertPages((options) => svix.messageAttempt.listAttemptedMessages(app.id, to.id, options), ids);
    await assertPages(byEndpoint, idsOf(await byEndpoint()));
  });

  test("of attempts at a message and of its destinations", async () => {
    const { url } = await newReceiver();
    const endpoints = await five((n) => newEndpoint(app, `${url}/${n}`));
    const message = await newMessage(app, type);
    const attempts = await attemptsAt(app, message, 5);

    const byMessage = (options) => svix.messageAttempt.listByMsg(app.id, message.id, options);
    const destinations = (options) => svix.messageAttempt.listAttemptedDestinations(app.id, message.id, options);
    await assertPages(byMessage, idsOf({ data: attempts }));
    assert.deepEqual((await walk(destinations)).flatMap(idsOf).sort(), idsOf({ data: endpoints }).sort());
  });

  test("of applications", async () => {
    const ids = idsOf({ data: await five(() => newApplication()) }).reverse();
    const page = (options) => svix.application.list({ order: Ordering.Descending, ...options });

    const first = await page({ limit: LIMIT });
    const second = await page({ limit: LIMIT, iterator: first.iterator });

    assert.deepEqual([...idsOf(first), ...idsOf(second)], ids.slice(0, 4));
    assert.deepEqual((await walkBack(page, second)).map(idsOf), [idsOf(first)]);
  });

  test("of event types", async () => {
    await five(() => newEventType());
    const pages = await walk((options) => svix.eventType.list(options));
    const names = pages.flatMap(({ data }) => data.map(({ name }) => name));
    assert.deepEqual(names, [...new Set(names)].sort());
    assert.ok(names.includes(type));

    const back = await svix.eventType.list({ limit: LIMIT, iterator: pages.at(-1).prevIterator });
    assert.deepEqual(back.data, pages.at(-2).data);
  });
});
