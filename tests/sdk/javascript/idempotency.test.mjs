import assert from "node:assert/strict";
import { beforeEach, describe, test } from "node:test";
import {
  ANY_URL,
  idsOf,
  invalid,
  newApplication,
  newEndpoint,
  newEventType,
  newMessage,
  newReceiver,
  svix,
  unique,
} from "./world.mjs";

describe("idempotency keys", () => {
  let app, eventType, idempotencyKey;
  beforeEach(async () => {
    app = await newApplication();
    eventType = await newEventType();
    idempotencyKey = unique("key");
  });

  async function create(fields) {
    return await svix.message.create(app.id, { eventType, payload: { amount: 12 }, ...fields }, { idempotencyKey });
  }

  test("make one message of two requests", async () => {
    const receiver = await newReceiver();
    await newEndpoint(app, receiver.url);

    const [first, second] = [await create(), await create()];

    assert.deepEqual(first, second);
    assert.deepEqual(idsOf(await svix.message.list(app.id)), [first.id]);
    await receiver.waitForMessage(await newMessage(app, eventType));
    assert.equal(receiver.ids.filter((id) => id === first.id).length, 1);
  });

  test("make one message of requests that come at once", async () => {
    const made = await Promise.all([create(), create(), create()]);

    assert.equal(new Set(idsOf({ data: made })).size, 1);
    assert.deepEqual(idsOf(await svix.message.list(app.id)), [made[0].id]);
  });

  test("make one application of two requests", async () => {
    const wanted = { name: "Acme", uid: unique("acme") };
    const first = await svix.application.create(wanted, { idempotencyKey });

    assert.deepEqual(await svix.application.create(wanted, { idempotencyKey }), first);
  });

  test("are for one operation", async () => {
    const message = await create();
    const endpoint = await svix.endpoint.create(app.id, { url: ANY_URL }, { idempotencyKey });

    assert.notEqual(message.id, endpoint.id);
  });

  test("of a request that was refused are free again", async () => {
    await invalid("body.uid.__all__", create({ eventId: "with a space" }));

    assert.equal((await create()).eventType, eventType);
  });
});
