import assert from "node:assert/strict";
import { beforeEach, describe, test } from "node:test";
import { momentLater } from "./patience.mjs";
import {
  attemptsAt,
  idsOf,
  newApplication,
  newEndpoint,
  newEventType,
  newMessage,
  newReceiver,
  refused,
  svix,
  unique,
} from "./world.mjs";

const { message } = svix;
const PAYLOAD = { amount: 12, paid: true, lines: [{ sku: "b-1", price: 1.5 }], note: null };

describe("messages", () => {
  let app, type;
  beforeEach(async () => {
    app = await newApplication({ uid: unique("acme") });
    type = await newEventType();
  });

  async function listed(options) {
    return idsOf(await message.list(app.id, options));
  }

  test("show what they were given", async () => {
    const wanted = { eventType: type, payload: PAYLOAD, eventId: unique("paid"), channels: ["project_1"] };
    const made = await message.create(app.id, wanted, { withContent: true });

    assert.match(made.id, /^msg_/);
    const { eventType, payload, eventId, channels } = made;
    assert.deepEqual({ eventType, payload, eventId, channels }, wanted);
    assert.ok(made.timestamp <= new Date());
  });

  test("show their payload only when asked for it", async () => {
    const made = await newMessage(app, type, { payload: PAYLOAD });
    assert.deepEqual(made.payload, {});

    assert.deepEqual(await message.get(app.id, made.id), made);
    assert.deepEqual((await message.get(app.id, made.id, { withContent: true })).payload, PAYLOAD);
    assert.deepEqual((await message.list(app.id)).data[0].payload, {});
    assert.deepEqual((await message.list(app.id, { withContent: true })).data[0].payload, PAYLOAD);
  });

  test("forget their payload", async () => {
    const made = await newMessage(app, type, { payload: PAYLOAD });

    await message.expungeContent(app.id, made.id);
    const found = await message.get(app.id, made.id, { withContent: true });
    assert.deepEqual([found.id, found.payload], [made.id, { expired: true }]);
  });

  test("answer to their event id", async () => {
    const made = await newMessage(app, type, { eventId: unique("paid") });

    assert.deepEqual(await message.get(app.uid, made.eventId), made);
  });

  test("do not share an event id", async () => {
    const { eventId } = await newMessage(app, type, { eventId: unique("paid") });

    await refused(409, "conflict", newMessage(app, type, { eventId }));
  });

  test("bring their application with them", async () => {
    const application = { name: "New", uid: unique("new") };
    const made = await message.create(application.uid, { eventType: type, payload: {}, application });

    assert.equal((await svix.application.get(application.uid)).name, "New");
    assert.deepEqual(idsOf(await message.list(application.uid)), [made.id]);
  });

  test("are listed newest first, by type and by channel", async () => {
    const other = await newEventType();
    const first = await newMessage(app, type, { channels: ["a", "b"] });
    const second = await newMessage(app, other, { channels: ["b"] });
    const third = await newMessage(app, type);

    assert.deepEqual(await listed(), [third.id, second.id, first.id]);
    assert.deepEqual(await listed({ eventTypes: [other] }), [second.id]);
    assert.deepEqual(await listed({ eventTypes: [type, other], channel: "b" }), [second.id, first.id]);
    assert.deepEqual(await listed({ channel: "a" }), [first.id]);
  });

  test("are listed by time", async () => {
    const early = await newMessage(app, type);
    await momentLater();
    const between = new Date();
    await momentLater();
    const late = await newMessage(app, type);

    assert.deepEqual(await listed({ before: between }), [early.id]);
    assert.deepEqual(await listed({ after: between }), [late.id]);
  });
});
