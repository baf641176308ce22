import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { newEventType, refused, svix, unique } from "./world.mjs";

const { eventType } = svix;
const SCHEMAS = { 1: { type: "object", properties: { amount: { type: "integer" } }, required: ["amount"] } };

async function fullEventType() {
  return await newEventType({ deprecated: true, schemas: SCHEMAS });
}

/** All that a walk through the list comes by, by their names. */
async function listed(options) {
  const found = new Map();
  let page;
  do {
    const iterator = page?.iterator;
    page = await eventType.list({ limit: 250, iterator, ...options });
    assert.ok(page.done || page.iterator !== iterator);
    page.data.forEach((one) => found.set(one.name, one));
  } while (!page.done);
  return found;
}

describe("event types", () => {
  test("show what they were given", async () => {
    const wanted = { name: unique("invoice.paid"), description: "Paid", deprecated: true, schemas: SCHEMAS };
    const made = await eventType.create(wanted);

    const { name, description, archived, deprecated, schemas } = made;
    assert.deepEqual({ name, description, archived, deprecated, schemas }, { ...wanted, archived: false });
    assert.ok(made.createdAt <= made.updatedAt && made.updatedAt <= new Date());
    assert.deepEqual(await eventType.get(wanted.name), made);
  });

  test("do not share a name", async () => {
    const name = await newEventType();

    await refused(409, "event_type_exists", newEventType({ name }));
  });

  test("come to be by an upsert, and keep nothing over it", async () => {
    const name = unique("invoice.paid");
    const made = await eventType.upsert(name, { description: "Paid", deprecated: true, schemas: SCHEMAS });
    assert.deepEqual([made.name, made.deprecated, made.schemas], [name, true, SCHEMAS]);

    const after = await eventType.upsert(name, { description: "Paid at last" });

    assert.deepEqual([after.name, after.description], [name, "Paid at last"]);
    assert.deepEqual([after.deprecated, after.schemas ?? null], [false, null]);
  });

  test("are patched only where the patch says", async () => {
    const name = await fullEventType();

    const after = await eventType.patch(name, { description: "Paid at last" });

    assert.deepEqual([after.description, after.deprecated, after.schemas], ["Paid at last", true, SCHEMAS]);
  });

  test("lose what a patch says is null", async () => {
    const after = await eventType.patch(await fullEventType(), { schemas: null });

    assert.deepEqual([after.deprecated, after.schemas ?? null], [true, null]);
  });

  test("are kept in the archive when deleted, and come back from it", async () => {
    const name = await newEventType();

    await eventType.delete(name);
    assert.equal((await eventType.get(name)).archived, true);
    assert.ok(!(await listed()).has(name));
    assert.equal((await listed({ includeArchived: true })).get(name).archived, true);

    await newEventType({ name, description: "Paid again" });
    assert.equal((await listed()).get(name).description, "Paid again");
  });

  test("are gone once expunged", async () => {
    const name = await newEventType();

    await eventType.delete(name, { expunge: true });

    await refused(404, "not_found", eventType.get(name));
  });

  test("are listed by name, without their schemas unless asked for", async () => {
    const name = await fullEventType();

    const names = [...(await listed()).keys()];
    assert.deepEqual(names, [...names].sort());
    assert.equal((await listed()).get(name).schemas ?? null, null);
    assert.deepEqual((await listed({ withContent: true })).get(name).schemas, SCHEMAS);
  });
});
