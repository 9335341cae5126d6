import assert from "node:assert/strict";
import { DisconnectedError, EnsembleError, TimeoutError } from "../../../runtime/errors.ts";
import { Refusal, RefusedError } from "../../../runtime/server/handshake_messages.ts";
import { isBusy, RegistryPauses, wasTurnedAway } from "../../../runtime/server/registry_pauses.ts";

const away = new DisconnectedError("cannot reach registry: connection refused");
const busy = turnedAway(Refusal.Busy);

function turnedAway(refusal: Refusal): DisconnectedError {
  const cause = new RefusedError({ refusal, message: "no" });
  return new DisconnectedError("cannot reach registry: no", { cause });
}

Deno.test("isBusy is true for a registry that runs and had no time for a connection", () => {
  const server = "registry";
  const full = new DisconnectedError("its queue is full");
  full.silence = { server, stage: "connect", address: "unix:/s" };
  const cut = new DisconnectedError("closed", { cause: new DisconnectedError("closed") });
  const slow = new TimeoutError("no answer");
  slow.silence = { server, stage: "handshake", address: "unix:/s" };
  for (const error of [busy, full, cut, slow]) assert.ok(isBusy(error), error.message);
  const lost = new DisconnectedError("the connection was lost", { cause: cut });
  lost.wasConnected = true;
  const late = new TimeoutError("no answer");
  late.silence = { server, stage: "request", address: "unix:/s" };
  const others = [away, lost, late, turnedAway(Refusal.Taken), new EnsembleError("no"), "no"];
  for (const error of others) assert.ok(!isBusy(error), String(error));
  assert.ok(wasTurnedAway(busy) && !wasTurnedAway(full) && !wasTurnedAway(away));
});

Deno.test("RegistryPauses gives longer pauses, up to a bound, which is greater when it is busy", () => {
  const pauses = new RegistryPauses();
  const between = (pause: number, least: number, most: number) =>
    assert.ok(pause >= least && pause <= most, `${least} <= ${pause} <= ${most}`);
  between(pauses.after(away), 250, 500);
  between(pauses.after(away), 500, 1_000);
  for (let i = 0; i < 20; i++) between(pauses.after(away), i < 2 ? 1_000 : 1_500, 3_000);
  between(pauses.after(busy), 1_500, 3_000);
  between(pauses.after(busy), 3_000, 6_000);
  for (let i = 0; i < 20; i++) between(pauses.after(busy), 5_000, 10_000);
  between(pauses.after(away), 250, 500);
  between(pauses.after(away), 500, 1_000);
  pauses.reset();
  between(pauses.after(away), 250, 500);
});
