import assert from "node:assert/strict";
import { beforeEach, describe, test } from "node:test";
import { BackgroundTaskStatus, BackgroundTaskType } from "svix";
import { eventually } from "./patience.mjs";
import { newApplication, newEndpoint, newEventType, newMessage, newReceiver, svix } from "./world.mjs";

const HOUR_MS = 3_600_000;

describe("an endpoint", () => {
  let app, type, receiver, to;
  beforeEach(async () => {
    app = await newApplication();
    type = await newEventType();
    receiver = await newReceiver();
    to = await newEndpoint(app, receiver.url);
  });

  /** Waits until the endpoint's messages are counted like that, and in no other way. */
  async function settled(counts) {
    const wanted = JSON.stringify({ success: 0, pending: 0, sending: 0, fail: 0, canceled: 0, ...counts });
    await eventually(`the count ${wanted}`, async () =>
      JSON.stringify(await svix.endpoint.getStats(app.id, to.id)) === wanted,
    );
  }

  test("counts messages by how they stand", async () => {
    await settled({});
    await newMessage(app, type);
    await settled({ success: 1 });

    receiver.answerWith(500);
    await newMessage(app, type);
    await settled({ success: 1, fail: 1 });

    const [hourAgo, now] = [new Date(Date.now() - HOUR_MS), new Date()];
    assert.equal((await svix.endpoint.getStats(app.id, to.id, { since: hourAgo, until: now })).success, 1);
    assert.equal((await svix.endpoint.getStats(app.id, to.id, { until: hourAgo })).success, 0);
  });

  test("recovers what had failed", async () => {
    receiver.answerWith(500);
    const message = await newMessage(app, type);
    await settled({ fail: 1 });
    const tried = receiver.requests.length;

    // Which enables the endpoint again, if it had been given up.
    receiver.answerWith(200);
    await svix.endpoint.patch(app.id, to.id, { disabled: false });
    const since = new Date(message.timestamp.getTime() - HOUR_MS);
    const task = await svix.endpoint.recover(app.id, to.id, { since });

    assert.match(task.id, /^qtask_/);
    assert.deepEqual([task.status, task.task], [BackgroundTaskStatus.Running, BackgroundTaskType.EndpointRecover]);
    assert.ok(task.updatedAt <= new Date());
    await receiver.waitFor(tried + 1);
    assert.equal(receiver.ids.at(-1), message.id);
    await settled({ success: 1 });
  });

  test("is sent an example alone", async () => {
    const other = await newReceiver();
    await newEndpoint(app, other.url);

    const schemas = { 1: { type: "object", examples: [{ amount: 12 }] } };
    const eventType = await newEventType({ schemas });
    const example = await svix.endpoint.sendExample(app.id, to.id, { eventType });

    assert.match(example.id, /^msg_/);
    assert.equal(example.eventType, eventType);
    await receiver.waitForMessage(example);
    await other.waitForMessage(await newMessage(app, type));
    assert.ok(!other.ids.includes(example.id));
  });
});
