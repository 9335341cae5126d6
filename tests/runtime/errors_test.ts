import assert from "node:assert/strict";
import { ActorRef } from "../../runtime/actor/references.ts";
import { toError, toFailure } from "../../runtime/actor/messaging.ts";
import {
  ActorError,
  DisconnectedError,
  EnsembleError,
  ERROR_CODES,
  InvalidInputError,
  NotAuthorizedError,
  TimeoutError,
} from "../../runtime/errors.ts";
import { LinkedSystems } from "./actor/linked_systems.ts";

Deno.test("docs/errors.md has a row for each code, and no other", async () => {
  const page = await Deno.readTextFile(new URL("../../docs/errors.md", import.meta.url));
  const rows = [...page.matchAll(/^\| `([A-Z_]+)` \|/gm)].map(([, code]) => code);
  assert.deepEqual(rows, [...ERROR_CODES]);
  assert.deepEqual(rows, rows.toSorted());
});

Deno.test("EnsembleError has the code of its class, or the given one", () => {
  assert.equal(new EnsembleError("").code, "FAILED");
  assert.equal(new EnsembleError("", { code: "ID_TAKEN" }).code, "ID_TAKEN");
  assert.equal(new InvalidInputError("").code, "INVALID_INPUT");
  assert.equal(new TimeoutError("").code, "TIMEOUT");
  assert.equal(new DisconnectedError("").code, "DISCONNECTED");
  assert.equal(new NotAuthorizedError("").code, "NOT_AUTHORIZED");
});

Deno.test("toError reads a failure without a code, or with an unknown one, as FAILED", () => {
  assert.equal(toError({ name: "Error", message: "a" }).code, "FAILED");
  assert.equal(toError({ name: "Error", message: "a", code: "LATER" }).code, "FAILED");
  assert.equal(toError({ name: "Error", message: "a", code: { a: 1 } }).code, "FAILED");
  assert.equal(toError(undefined).code, "FAILED");
  assert.equal(toError(toFailure(new Error("a"))).code, "FAILED");
  // Only names of the ensemble's own errors count as its codes.
  assert.equal(
    toError(toFailure(Object.assign(new Error("a"), { code: "TIMEOUT" }))).code,
    "FAILED",
  );
});

Deno.test("the code of an error reaches the asker, even through several servers", async () => {
  const systems = new LinkedSystems();
  const [near, middle, far] = ["near", "middle", "far"].map((id) => systems.start(id));
  const refusing = far!.serve("refusing", {
    invalid() {
      throw new InvalidInputError("not a number");
    },
    mayNot() {
      throw new NotAuthorizedError("not you");
    },
    fails() {
      throw new TypeError("broken");
    },
  });
  const relay = middle!.serve("relay", {
    ask: ({ asked }: { asked: string }) => middle!.ask(refusing.ref, { type: asked }),
  });
  const codeOf = async (dest: ActorRef, message: object) => {
    const error = await near!.ask(dest, message).catch((error) => error);
    assert(error instanceof ActorError, String(error));
    return error.code;
  };
  assert.equal(await codeOf(refusing.ref, { type: "invalid" }), "INVALID_INPUT");
  assert.equal(await codeOf(refusing.ref, { type: "mayNot" }), "NOT_AUTHORIZED");
  assert.equal(await codeOf(refusing.ref, { type: "fails" }), "FAILED");
  assert.equal(await codeOf(refusing.ref, { type: "nosuch" }), "UNEXPECTED_MESSAGE");
  assert.equal(await codeOf(relay.ref, { type: "ask", asked: "mayNot" }), "NOT_AUTHORIZED");
  assert.equal(await codeOf(new ActorRef("far", "nosuch"), {}), "UNKNOWN_ACTOR");
  assert.equal(await codeOf(new ActorRef("near", "nosuch"), {}), "UNKNOWN_ACTOR");
  for (const actor of [refusing, relay]) actor.exit();
  await Promise.all([refusing.ended, relay.ended]);
});
