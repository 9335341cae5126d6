import assert from "node:assert/strict";
import { nearest, suggestLookups, suggestServers } from "../../cli/suggestions.ts";
import { LocalEnsemble } from "../runtime/server/local_ensemble.ts";

Deno.test("nearest gives the names that are a few letters away, or begin as typed, the nearest first", () => {
  const names = ["httpd1", "httpd2", "httpd10", "worker", "web-eu-1", "Web", "db"];
  assert.deepEqual(nearest("htpd1", names), ["httpd1"]);
  assert.deepEqual(nearest("httpd", names), ["httpd1", "httpd2", "httpd10"]);
  assert.deepEqual(nearest("WORKRE", names), ["worker"]);
  assert.deepEqual(nearest("web", names), ["Web", "web-eu-1"]);
  assert.deepEqual(nearest("dc", names), ["db"]);
  assert.deepEqual(nearest("bd", names), ["db"], "two letters the other way round are one mistake");
  assert.deepEqual(nearest("bda", names), []);
  assert.deepEqual(nearest("w", names), []);
  assert.deepEqual(nearest("api", ["API-eu-1"]), ["API-eu-1"]);
  assert.deepEqual(nearest("nosuch", names), []);
  assert.deepEqual(nearest("x1", ["x2", "x3", "x4", "x5"]), ["x2", "x3", "x4"]);
});

Deno.test("suggestions are of the servers and roles that there are", async () => {
  await using ensemble = new LocalEnsemble();
  await ensemble.startRegistry();
  await ensemble.start("httpd1", { roles: ["web", "it's"] });
  await ensemble.start("worker1", { roles: ["worker"] });
  const { actors } = await ensemble.startConsole();
  const servers: [string, string][] = [
    ["htpd1", "; did you mean httpd1?"],
    ["worker", "; did you mean worker1?"],
    ["regisrty", "; did you mean registry?"],
    ["nosuch", ""],
  ];
  for (const [id, hint] of servers) assert.equal(await suggestServers(actors, id), hint);
  const lookups: [{ server: string } | { role: string }, string][] = [
    [{ server: "worker" }, "; did you mean --role worker or worker1?"],
    [{ server: "wroker" }, "; did you mean --role worker?"],
    [{ server: "web" }, "; did you mean --role web?"],
    [{ server: "it-s" }, "; did you mean --role 'it'\\''s'?"],
    [{ server: "nosuch" }, ""],
    [{ role: "wroker" }, "; did you mean --role worker?"],
    [{ role: "worker1" }, "; did you mean worker1 without --role or --role worker?"],
    [{ role: "nosuch" }, ""],
  ];
  for (const [query, hint] of lookups) assert.equal(await suggestLookups(actors, query), hint);
});

Deno.test("nothing is suggested where the registry does not answer", async () => {
  await using ensemble = new LocalEnsemble();
  const { actors } = await ensemble.startConsole();
  assert.equal(await suggestServers(actors, "registr"), "; did you mean registry?");
  assert.equal(await suggestLookups(actors, { role: "worker" }), "");
});
