import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Webhook } from "svix-version-1";
import { clientOfVersion1 } from "./server.mjs";
import {
  ANY_URL,
  attemptsAt,
  newApplication,
  newEndpoint,
  newEventType,
  newMessage,
  newReceiver,
  svix,
} from "./world.mjs";

const old = clientOfVersion1();

describe("the SDK before its second version", () => {
  test("sees the event types of an endpoint as its filter types", async () => {
    const app = await newApplication();
    const type = await newEventType();
    const made = await newEndpoint(app, ANY_URL, { eventTypes: [type] });

    const seen = await old.endpoint.get(app.id, made.id);

    assert.deepEqual(seen.filterTypes, [type]);
    assert.equal(typeof seen.version, "number");
  });

  test("sets filter types that are the event types of an endpoint", async () => {
    const app = await newApplication();
    const [first, second] = [await newEventType(), await newEventType()];
    const made = await old.endpoint.create(app.id, { url: ANY_URL, filterTypes: [first], version: 1 });
    assert.deepEqual((await svix.endpoint.get(app.id, made.id)).eventTypes, [first]);

    await old.endpoint.patch(app.id, made.id, { filterTypes: [second] });
    assert.deepEqual((await svix.endpoint.get(app.id, made.id)).eventTypes, [second]);

    await old.endpoint.patch(app.id, made.id, { filterTypes: null });
    assert.equal((await svix.endpoint.get(app.id, made.id)).eventTypes ?? null, null);

    await old.endpoint.update(app.id, made.id, { url: ANY_URL, filterTypes: [first] });
    assert.deepEqual((await svix.endpoint.get(app.id, made.id)).eventTypes, [first]);
  });

  test("sends and verifies messages", async () => {
    const app = await newApplication();
    const type = await newEventType();
    const receiver = await newReceiver();
    const to = await old.endpoint.create(app.id, { url: receiver.url, filterTypes: [type] });

    const unwanted = await newMessage(app, await newEventType());
    const wanted = await old.message.create(app.id, { eventType: type, payload: { amount: 12 } });

    const request = await receiver.waitForMessage(wanted);
    assert.ok(!receiver.ids.includes(unwanted.id));
    const { key } = await old.endpoint.getSecret(app.id, to.id);
    const read = new Webhook(key).verify(request.body, request.headers);
    assert.deepEqual(read, { amount: 12 });
    await attemptsAt(app, wanted, 1);
    const { data } = await old.messageAttempt.listAttemptedDestinations(app.id, wanted.id);
    assert.deepEqual(data.map(({ id, filterTypes }) => [id, filterTypes]), [[to.id, [type]]]);
    assert.equal(typeof data[0].version, "number");
  });
});
