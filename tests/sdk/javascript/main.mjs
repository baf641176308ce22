// Runs all tests, and fails too where an operation was not tried.

import assert from "node:assert/strict";
import { after, test } from "node:test";
import { OPERATIONS } from "./operations.mjs";
import { called } from "./server.mjs";
import { svix } from "./world.mjs";

import "./applications.test.mjs";
import "./attempts.test.mjs";
import "./authentication.test.mjs";
import "./deliveries.test.mjs";
import "./endpoints.test.mjs";
import "./endpointWork.test.mjs";
import "./eventTypes.test.mjs";
import "./idempotency.test.mjs";
import "./messages.test.mjs";
import "./paging.test.mjs";
import "./refusals.test.mjs";
import "./version1.test.mjs";

test("the server is well", async () => {
  await svix.health.get();
});

after(() => assert.deepEqual(OPERATIONS.filter((operation) => !called.has(operation)), []));
