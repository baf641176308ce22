import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { newApplication, refused, svix, unique } from "./world.mjs";

const { application } = svix;

describe("applications", () => {
  test("show what they were given", async () => {
    const wanted = { name: "Acme Ltd", uid: unique("acme"), throttleRate: 100, metadata: { plan: "gold" } };
    const made = await application.create(wanted);

    assert.match(made.id, /^app_/);
    const { name, uid, throttleRate, metadata } = made;
    assert.deepEqual({ name, uid, throttleRate, metadata }, wanted);
    assert.ok(made.createdAt <= made.updatedAt && made.updatedAt <= new Date());
    assert.deepEqual(await application.get(made.id), made);
  });

  test("need no more than a name", async () => {
    const made = await newApplication();

    assert.equal(made.uid ?? null, null);
    assert.equal(made.throttleRate ?? null, null);
    assert.deepEqual(made.metadata, {});
  });

  test("answer to their uid", async () => {
    const made = await newApplication({ uid: unique("acme") });

    assert.deepEqual(await application.get(made.uid), made);
  });

  test("do not share a uid", async () => {
    const { uid } = await newApplication({ uid: unique("acme") });

    await refused(409, "conflict", newApplication({ uid }));
  });

  test("are found instead of made again", async () => {
    const uid = unique("acme");
    const made = await application.getOrCreate({ name: "Acme", uid });

    assert.deepEqual(await application.getOrCreate({ name: "Another name", uid }), made);
  });

  test("come to be by an upsert", async () => {
    const uid = unique("acme");
    const made = await application.upsert(uid, { name: "Acme", uid });

    assert.deepEqual(await application.get(uid), made);
  });

  test("keep nothing over an upsert", async () => {
    const made = await newApplication({ uid: unique("acme"), throttleRate: 100, metadata: { plan: "gold" } });

    const after = await application.upsert(made.id, { name: "New name" });

    assert.deepEqual([after.id, after.name, after.createdAt], [made.id, "New name", made.createdAt]);
    assert.deepEqual([after.uid ?? null, after.throttleRate ?? null, after.metadata], [null, null, {}]);
  });

  test("are patched only where the patch says", async () => {
    const made = await newApplication({ uid: unique("acme"), throttleRate: 100, metadata: { plan: "gold" } });

    const after = await application.patch(made.id, { name: "New name" });

    assert.deepEqual({ ...after, updatedAt: null }, { ...made, name: "New name", updatedAt: null });
  });

  test("lose what a patch says is null", async () => {
    const made = await newApplication({ uid: unique("acme"), throttleRate: 100 });

    const after = await application.patch(made.uid, { uid: null, throttleRate: null });

    assert.deepEqual([after.name, after.uid ?? null, after.throttleRate ?? null], [made.name, null, null]);
  });

  test("are gone once deleted", async () => {
    const made = await newApplication({ uid: unique("acme") });

    await application.delete(made.id);

    await refused(404, "not_found", application.get(made.id));
    await refused(404, "not_found", application.get(made.uid));
    await refused(404, "not_found", application.delete(made.id));
  });
});
