// The methods of the SDK that stand for an operation which the server has. All of them have to be tested.

const METHODS = {
  application: ["create", "delete", "get", "getOrCreate", "list", "patch", "upsert"],
  authentication: ["appPortalAccess", "logout"],
  endpoint: [
    "create",
    "delete",
    "get",
    "getHeaders",
    "getSecret",
    "getStats",
    "list",
    "patch",
    "patchHeaders",
    "recover",
    "rotateSecret",
    "sendExample",
    "setHeaders",
    "upsert",
  ],
  eventType: ["create", "delete", "get", "list", "patch", "upsert"],
  health: ["get"],
  message: ["create", "expungeContent", "get", "list"],
  messageAttempt: [
    "expungeContent",
    "get",
    "listAttemptedDestinations",
    "listAttemptedMessages",
    "listByEndpoint",
    "listByMsg",
    "resend",
  ],
};

export const OPERATIONS = Object.entries(METHODS).flatMap(([resource, methods]) =>
  methods.map((method) => `${resource}.${method}`),
);
